"""Prices of parcels: a FastAPI app like any other."""

import os

import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

#: Cents for each kilogram begun.
RATES = {"DE": 190, "FR": 240, "GB": 310}

# Every path of the app begins with that of the event key: the platform passes it on as it came.
app = FastAPI(title="Parcels", docs_url="/parcels/docs", openapi_url="/parcels/openapi.json", redoc_url=None)


class Parcel(BaseModel):
    grams: int = Field(gt=0, le=31_500)
    country: str = Field(pattern="^[A-Z]{2}$")
    express: bool = False


class Price(BaseModel):
    cents: int


@app.post("/parcels/prices")
async def price(parcel: Parcel) -> Price:
    rate = RATES.get(parcel.country)
    if rate is None:
        raise HTTPException(404, f"no parcels go to {parcel.country}")
    kilograms = -(-parcel.grams // 1000)
    return Price(cents=rate * kilograms * (2 if parcel.express else 1))


if __name__ == "__main__":
    # The platform says where to listen, and is the only one that gets there.
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning")
