"""Work that takes long, apart from the event loop.

All of it in one thread: Python runs one at a time as it is, and each thread more that wants its turn is one that the event loop has to
wait for, again and again.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple, Unpack

_THREAD = ThreadPoolExecutor(1, thread_name_prefix="verification")


_Args = TypeVarTuple("_Args")
_Result = TypeVar("_Result")


async def apart(work: Callable[[Unpack[_Args]], _Result], *args: *_Args) -> _Result:
    """What it returns; raises what it raises."""
    return await asyncio.get_running_loop().run_in_executor(_THREAD, work, *args)
