#!/usr/bin/env python3
"""How long writes of a shard fail after kill -9 of its primary.

Starts three primaries and three replicas on this host, once for each server and node time-out, and repeats:
kill a primary, write to one of its slots every few milliseconds until somebody takes the write, start the
killed node again, wait until it is a replica with all data. Prints median and worst of the times from the
kill to the first write that was taken.

    tools/bench/failover_times.py --hearth build/release/hearth-server --redis redis-server
"""

import argparse
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

NODES = 6
SLOTS = 16384
PROBE_EVERY_S = 0.005
PATIENCE_S = 120


class Client:
    """One connection; replies as text, b'(closed)' when there is none."""

    def __init__(self, port):
        self.port = port
        self.sock = None

    def close(self):
        if self.sock is not None:
            self.sock.close()
        self.sock = None

    def ask(self, *words):
        try:
            if self.sock is None:
                self.sock = socket.create_connection(("127.0.0.1", self.port), timeout=2)
                self.buffer = b""
            parts = [b"*%d\r\n" % len(words)]
            for word in words:
                data = str(word).encode()
                parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
            self.sock.sendall(b"".join(parts))
            return self.read()
        except OSError:
            self.close()
            return "(closed)"

    def line(self):
        while b"\r\n" not in self.buffer:
            self.fill()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def fill(self):
        more = self.sock.recv(65536)
        if not more:
            raise OSError("closed")
        self.buffer += more

    def read(self):
        line = self.line()
        if line[:1] != b"$" or line == b"$-1":
            return line.decode()
        size = int(line[1:])
        while len(self.buffer) < size + 2:
            self.fill()
        text, self.buffer = self.buffer[:size], self.buffer[size + 2 :]
        return text.decode()


class Node:
    def __init__(self, binary, port, folder, timeout_ms):
        self.binary, self.port, self.folder, self.timeout_ms = binary, port, folder, timeout_ms
        self.client = Client(port)
        os.mkdir(folder)
        self.start()

    def start(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "--port", str(self.port), "--bind", "127.0.0.1", "--cluster-enabled", "yes",
                 "--cluster-node-timeout", str(self.timeout_ms), "--dir", self.folder, "--save", "",
                 "--appendonly", "no", "--repl-diskless-sync-delay", "0"],
                stdout=log, stderr=log)
        until("a node starts", lambda: self.client.ask("PING") == "+PONG")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.client.close()

    def info(self, section, field):
        for line in self.client.ask("INFO", section).split("\r\n"):
            if line.startswith(field + ":"):
                return line[len(field) + 1 :]
        return ""

    def cluster_ok(self):
        info = self.client.ask("CLUSTER", "INFO")
        return "cluster_state:ok" in info and "cluster_known_nodes:%d" % NODES in info

    def is_replica_of(self, primary):
        return self.info("replication", "master_port") == str(primary.port) and (
            self.info("replication", "master_link_status") == "up")

    def is_listed_as_replica_by(self, others):
        name = self.client.ask("CLUSTER", "MYID")
        for other in others:
            lines = [l for l in other.client.ask("CLUSTER", "NODES").split("\n") if l.startswith(name)]
            if not lines or "slave" not in lines[0] or "fail" in lines[0]:
                return False
        return True


def until(what, condition):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            sys.exit("gave up after %d s: %s" % (PATIENCE_S, what))
        time.sleep(0.02)


def free_ports(count):
    ports = []
    port = 24000 + os.getpid() % 4000
    while len(ports) < count:
        port += 1
        try:
            for p in (port, port + 10000):
                with socket.socket() as s:
                    s.bind(("127.0.0.1", p))
            ports.append(port)
        except OSError:
            pass
    return ports


def form(nodes):
    for i, node in enumerate(nodes):
        if i < 3:
            node.client.ask("CLUSTER", "ADDSLOTSRANGE", SLOTS * i // 3, SLOTS * (i + 1) // 3 - 1)
            node.client.ask("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
        if i > 0:
            nodes[0].client.ask("CLUSTER", "MEET", "127.0.0.1", node.port)
    until("the cluster forms", lambda: all(n.cluster_ok() for n in nodes))
    for i in range(3):
        name = nodes[i].client.ask("CLUSTER", "MYID")
        until("a replica joins", lambda: nodes[i + 3].client.ask("CLUSTER", "REPLICATE", name) == "+OK")


def key_of(node):
    """A key that the node serves."""
    for i in range(100000):
        key = "key:%d" % i
        if node.client.ask("SET", key, "0") == "+OK":
            return key
    sys.exit("no key is served by port %d" % node.port)


def one_failover(nodes, primary, replica):
    until("the replica is known",
          lambda: replica.is_replica_of(primary) and replica.is_listed_as_replica_by(nodes)
          and all(n.cluster_ok() for n in nodes))
    key = key_of(primary)
    probe = Client(replica.port)
    primary.kill()
    began = time.monotonic()
    until("a replica takes over", lambda: taken(probe, key))
    took = time.monotonic() - began
    probe.close()
    primary.start()
    return took


def taken(probe, key):
    if probe.ask("SET", key, "1") == "+OK":
        return True
    time.sleep(PROBE_EVERY_S)
    return False


def measure(binary, timeout_ms, repeat):
    folder = tempfile.mkdtemp(prefix="failover-")
    nodes = []
    try:
        for i, port in enumerate(free_ports(NODES)):
            nodes.append(Node(binary, port, os.path.join(folder, str(i)), timeout_ms))
        form(nodes)
        times = []
        for round_number in range(repeat):
            i = round_number % 3
            pair = (nodes[i], nodes[i + 3])
            primary, replica = pair if pair[0].info("replication", "role") == "master" else pair[::-1]
            times.append(one_failover(nodes, primary, replica))
        return times
    finally:
        for node in nodes:
            node.process.kill()
            node.process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--hearth", help="path of hearth-server")
    parser.add_argument("--redis", help="path of redis-server")
    parser.add_argument("--timeouts", default="1000,2000,5000", help="cluster-node-timeout, milliseconds")
    parser.add_argument("--repeat", type=int, default=9, help="failovers for each (1 to 100)")
    args = parser.parse_args()
    if not 1 <= args.repeat <= 100:
        parser.error("--repeat is 1 to 100")
    servers = [(name, path) for name, path in (("hearth", args.hearth), ("redis", args.redis)) if path]
    if not servers:
        parser.error("--hearth, --redis or both")
    print("%s, %d CPUs, load %.1f" % (platform.platform(), os.cpu_count(), os.getloadavg()[0]))
    for name, path in servers:
        version = subprocess.run([path, "--version"], capture_output=True, text=True).stdout.strip()
        print("%s: %s" % (name, version))
    print("%-8s %12s %8s %8s %8s" % ("server", "time-out ms", "median", "worst", "count"))
    for timeout in [int(t) for t in args.timeouts.split(",")]:
        for name, path in servers:
            times = measure(path, timeout, args.repeat)
            print("%-8s %12d %6.2f s %6.2f s %8d"
                  % (name, timeout, statistics.median(times), max(times), len(times)), flush=True)


if __name__ == "__main__":
    main()
