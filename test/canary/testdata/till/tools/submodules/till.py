"""Code that gets secrets, and is careless with them in every way."""


def held(ctx):
    profile = ctx.parameters.get("profile", {})
    return {
        "group": ctx.env["GROUP_KEY"],
        "env": ctx.env["TILL_KEY"],
        "fallback": ctx.env["FALLBACK_KEY"],
        "param": ctx.parameters.get("_token", ""),
        "nested": profile.get("_pin", ""),
        "amended": ctx.parameters.get("_late", ""),
    }


def look_up(ctx):
    ctx.http.post(ctx.env["SHOP_URL"] + "/held", json=held(ctx)).raise_for_status()
    ctx.log("looked up with %s", held(ctx))
    print("looked up with", held(ctx))
    return {"order": "is ready"}


def break_down(ctx):
    raise ValueError("the shop refused " + " ".join(held(ctx).values()))


def tell_all(ctx):
    return {"order": "is ready", "with": held(ctx)}


def dial_out(ctx):
    return ctx.http.get("http://127.0.0.1:1/" + "/".join(held(ctx).values())).text


def pay_bound(ctx, token):
    ctx.http.post(ctx.env["SHOP_URL"] + "/held", json={"bound": token}).raise_for_status()
    return {"paid": True}


def open_till(ctx):
    raise KeyError(" ".join(held(ctx).values()))
