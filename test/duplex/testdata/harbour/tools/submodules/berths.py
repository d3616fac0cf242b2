"""Books berths."""


def book(ctx, number: int):
    return {"booked": number, "pier": "blue"}
