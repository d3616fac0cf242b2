import json

import engine

PRICES = json.load(open("submodules/prices.json"))


async def find(ctx, place, day=None, seats=(), **rest):
    ctx.log("finding %s", place)
    ctx.results.set("town", place)
    answer = await ctx.http("GET", "http://tickets.example/free", params={"place": place})
    return {"place": place, "price": PRICES[place], "day": day, "free": answer.json()["free"], "channel": ctx.session.channel}


def book(ctx, customer, price):
    ctx.kv.set("last", {"customer": customer, "price": price})
    return "booked for %s" % engine.kv.get("last")["customer"]


def prove(ctx):
    return {"verified": True, "customer_id": ctx.env["CUSTOMER"]}


async def load(ctx):
    return {"greeting": "Hello " + ctx.session.name, "at": ctx.now().isoformat()}
