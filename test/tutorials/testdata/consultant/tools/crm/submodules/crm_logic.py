"""Leads of the consultant. A CRM would be asked here; the tutorial has none."""

import re

ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


async def post_lead(ctx, client_name, email, phone="", budget=0):
    """Accepts a lead that can be reached."""
    if not ADDRESS.fullmatch(email):
        return {"accepted": False, "reason": "the email address is not complete"}
    return {"accepted": True, "client": client_name.strip(), "budget": budget}
