"""A worker process that looks by itself once an hour: whatever it does sooner a bell made it do."""

from ctiscraper.tasks import run

HOUR = 3600.0
LOOKS = "WAKEABLE_SECONDS"

if __name__ == "__main__":
    # Else a patience of another name would leave it a worker like any other.
    assert hasattr(run, LOOKS)
    setattr(run, LOOKS, HOUR)
    run.main()
