"""One orchestrator's worker as a process of its own, for tests that stop and kill it.

`python -m … URL NAME LEASE_S`: its work on a deployment is to write the name and the token, again and again, each time
through the lease.
"""

import asyncio
import sys

from kernel.database import Database, pool
from orchestrator import environments
from orchestrator.environments import Environments, Work
from orchestrator.leases import Leases
from orchestrator.turns import Turns


async def main(url: str, name: str, lease_s: float) -> None:
    pool.IDLE_S = environments.LOOK_EVERY_S = lease_s / 2  # type: ignore[misc]  # what takes 15 s is told in two
    database = await Database.connect(url)

    async def deploy(work: Work) -> None:
        while True:
            async with work.lease.transaction() as tx:
                await tx.execute("insert into written (name, token) values ($1, $2)", name, work.lease.token)
                await asyncio.sleep(0.02)  # so that it is stopped anywhere, also inside a transaction
            await asyncio.sleep(0.02)

    Environments(database, Leases(database, name, lease_s), Turns(1, 60.0), deploy).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
