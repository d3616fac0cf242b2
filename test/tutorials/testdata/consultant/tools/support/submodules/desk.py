"""Tickets and customers of the consultant."""

import zlib


async def create_ticket(ctx, summary):
    """Gives the issue a number. Equal words give an equal number."""
    return {"ticket": "T-%04d" % (zlib.crc32(summary.encode()) % 10000)}


def load_customer(ctx):
    """Says who is there; what it returns fills {segment} in the prompt."""
    return {"segment": ctx.parameters.get("segment", "new")}
