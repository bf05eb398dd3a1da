"""An aiohttp client as serving benchmarks in Python have it, without their books: stamps at the read, JSON parsed."""

import argparse
import asyncio
import json
import resource
import time

import aiohttp

PROMPT = "x" * 2000


def now_us():
    return time.monotonic_ns() // 1000


def cpu_us():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return int((usage.ru_utime + usage.ru_stime) * 1e6)


def rss_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def body_of(tokens):
    return json.dumps({"model": "m", "stream": True, "max_tokens": tokens, "prompt": PROMPT}).encode()


def tokens_in(event):
    if event == b"data: [DONE]":
        return 0
    choices = json.loads(event[6:])["choices"]
    return 1 if choices and choices[0]["delta"].get("content") else 0


class Client:
    def __init__(self, options):
        self.options = options
        self.url = f"http://127.0.0.1:{options.port}/v1/chat/completions"
        self.stamps = {}
        self.events = 0

    async def read(self, response, stamps):
        rest = b""
        async for chunk in response.content.iter_any():
            stamp = now_us()
            rest += chunk
            while (end := rest.find(b"\n\n")) >= 0:
                if tokens_in(rest[:end]):
                    stamps.append(stamp)
                    self.events += 1
                rest = rest[end + 2 :]

    async def stream(self, session, slot):
        options = self.options
        # The first answers differ in length, so that ends are spread out from then on.
        tokens = max(1, options.tokens * (slot + 1) // options.streams)
        serial = 0
        while True:
            name = f"b-{slot}-{serial}"
            headers = {"Content-Type": "application/json", "X-Request-Id": name}
            stamps = self.stamps[name] = []
            async with session.post(self.url, data=body_of(tokens), headers=headers) as response:
                await self.read(response, stamps)
            tokens = options.tokens
            serial += 1

    async def run(self):
        options = self.options
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            streams = [asyncio.create_task(self.stream(session, slot)) for slot in range(options.streams)]
            await asyncio.sleep(options.warm_up_ms / 1000)
            start, spent, events = now_us(), cpu_us(), self.events
            await asyncio.sleep(options.window_ms / 1000)
            figures = {
                "cpuUs": cpu_us() - spent,
                "events": self.events - events,
                "fromUs": start,
                "toUs": now_us(),
                "rssBytes": rss_bytes(),
            }
            for stream in streams:
                stream.cancel()
            ends = await asyncio.gather(*streams, return_exceptions=True)
        for end in ends:
            if not isinstance(end, asyncio.CancelledError):
                raise RuntimeError(f"a stream failed: {end!r}")
        return figures

    def write(self, path):
        with open(path, "w") as file:
            for name, stamps in self.stamps.items():
                file.write(json.dumps({"id": name, "us": stamps}) + "\n")


def main():
    parser = argparse.ArgumentParser()
    for name in ["port", "streams", "tokens", "warm-up-ms", "window-ms"]:
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    client = Client(options)
    figures = asyncio.run(client.run())
    client.write(options.out)
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
