"""The bank behind its agent: whatever is done here is told to the bank's own server."""


def done(ctx, tool, **args):
    body = {"session": ctx.session.id, "tool": tool, "args": args}
    ctx.http.post(ctx.env["BANK_URL"] + "/effects", json=body).raise_for_status()
    return {"done": True}


def prove_identity(ctx, pin):
    return {"verified": pin == "4711", "customer_id": "C-1001"}


def read_messages(ctx, folder):
    return ctx.http.get(ctx.env["BANK_URL"] + "/messages/" + folder).raise_for_status().text


def get_account(ctx, customer_id=""):
    return done(ctx, "get_account", customer_id=customer_id)


def get_history(ctx, customer_id=""):
    return done(ctx, "get_history", customer_id=customer_id)


def transfer(ctx, amount=0, to_iban="", customer_id=""):
    return done(ctx, "transfer", amount=amount, to_iban=to_iban, customer_id=customer_id)


def refund(ctx, amount=0, customer_id=""):
    return done(ctx, "refund", amount=amount, customer_id=customer_id)


def raise_limit(ctx, amount=0, customer_id=""):
    return done(ctx, "raise_limit", amount=amount, customer_id=customer_id)


def change_email(ctx, email="", customer_id=""):
    return done(ctx, "change_email", email=email, customer_id=customer_id)


def change_phone(ctx, phone="", customer_id=""):
    return done(ctx, "change_phone", phone=phone, customer_id=customer_id)


def send_statement(ctx, to="", customer_id=""):
    return done(ctx, "send_statement", to=to, customer_id=customer_id)


def close_account(ctx, customer_id=""):
    return done(ctx, "close_account", customer_id=customer_id)
