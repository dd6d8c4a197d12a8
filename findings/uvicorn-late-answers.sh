#!/bin/sh
# uvicorn 0.54.0 on asyncio (Python 3.11), Server.run(sockets=[…]): small answers on a connection that
# is kept alive come some 40 ms late if the socket was made by socket.create_server(), or any other
# whose protocol number is 0. asyncio turns Nagle's algorithm off only where that number is
# IPPROTO_TCP, accepted sockets take it over from the listening one, and uvicorn sends head and body
# of an answer apart: the body waits for the head's acknowledgement, which the client delays. Seen on
# Linux: a median of 41 to 44 ms instead of less than 1.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'uvicorn==0.54.0' 'h11==0.16.0'
cat > "$folder/try.py" <<'END'
import http.client
import socket
import statistics
import threading
import time

import uvicorn


async def app(scope, receive, send):
    body = b"x" * 100
    headers = [(b"content-length", b"100")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def median(listener):
    config = uvicorn.Config(app, loop="asyncio", http="h11", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    connection = http.client.HTTPConnection(*listener.getsockname())
    times = []
    for _ in range(41):
        start = time.perf_counter()
        connection.request("GET", "/")
        assert len(connection.getresponse().read()) == 100
        times.append(time.perf_counter() - start)
    connection.close()
    server.should_exit = True
    thread.join()
    return 1000 * statistics.median(times)


late = median(socket.create_server(("127.0.0.1", 0)))
named = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
named.bind(("127.0.0.1", 0))
named.listen()
prompt = median(named)
print(f"protocol 0: {late:.1f} ms, IPPROTO_TCP: {prompt:.1f} ms")
assert late > 30 > 15 > prompt, (late, prompt)
END
"$folder/venv/bin/python" "$folder/try.py"
echo "as described"
