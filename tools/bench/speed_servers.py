"""The servers that loader_speed measures with: databases that are not root's, caches, and a table of users in each
database. Every one is ended by whom it was started."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

PATIENCE_S = 120
TICK = os.sysconf("SC_CLK_TCK")

# The same values in each dialect: {n} is the number of the row.
COLUMNS = "id, name, email, age, created_at, profile"
PG_TABLE = """CREATE TABLE users(id bigint PRIMARY KEY, name text, email text, age int, created_at timestamptz, profile jsonb);
INSERT INTO users SELECT n, 'Given Family ' || n % 10007, 'user' || n || '@example.test', 18 + n % 60,
timestamptz '2020-01-01' + n * interval '37 s', jsonb_build_object('city', 'Town ' || n % 997, 'plan', 'standard', 'score',
n % 1000, 'tags', '["alpha", "beta", "gamma"]'::jsonb, 'active', n % 2 = 0) FROM generate_series(1, %d) n;
VACUUM (FREEZE, ANALYZE) users; CHECKPOINT"""
MY_TABLE = """CREATE TABLE users(id BIGINT PRIMARY KEY, name VARCHAR(60), email VARCHAR(60), age INT, created_at DATETIME, profile JSON);
INSERT INTO users SELECT seq, CONCAT('Given Family ', seq %% 10007), CONCAT('user', seq, '@example.test'), 18 + seq %% 60,
'2020-01-01' + INTERVAL seq * 37 SECOND, CONCAT('{"city": "Town ', seq %% 997, '", "plan": "standard", "tags": ["alpha", "beta", "gamma"], "score": ',
seq %% 1000, ', "active": ', IF(seq %% 2 = 0, 'true', 'false'), '}') FROM seq_1_to_%d; ANALYZE TABLE users"""

def until(what, condition, patience=PATIENCE_S, pause=0.02):
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"gave up after {patience} s: {what}")
        time.sleep(pause)


def free_port():
    port = 23000 + os.getpid() % 3000
    while True:
        port += 1
        if port in free_port.given:
            continue
        try:
            for p in (port, port + 10000):
                with socket.socket() as s:
                    s.bind(("127.0.0.1", p))
            free_port.given.add(port)
            return port
        except OSError:
            pass


free_port.given = set()


def run(command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))[:400]}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def cpu_seconds(pid, children=False):
    """User and system time; with that of children that ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(ticks) for ticks in fields[11:15 if children else 13]) / TICK


class Process:
    """A process that this one started, and ends."""

    def __init__(self, command, folder, user=None):
        def become():
            if user is not None and os.geteuid() == 0:
                entry = pwd.getpwnam(user)
                os.setgroups([])
                os.setgid(entry.pw_gid)
                os.setuid(entry.pw_uid)
        self.log = open(os.path.join(folder, "log"), "ab")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, preexec_fn=become)
        self.pid = self.process.pid

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            self.log.close()


class Database:
    """A folder that the database's user may write to, and a server on it."""

    def __init__(self, root, name, user):
        self.folder = os.path.join(root, name)
        os.mkdir(self.folder, 0o755)
        self.user = user if os.geteuid() == 0 else None
        if self.user:
            entry = pwd.getpwnam(user)
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
        self.port = free_port()
        self.process = None

    def as_user(self, command):
        if not self.user:
            return command
        return ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups", *command]

    def stop(self):
        if self.process:
            self.process.stop(signal.SIGINT if isinstance(self, Postgres) else signal.SIGTERM)


class Postgres(Database):
    def __init__(self, root):
        super().__init__(root, "postgres", "postgres")
        folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        if not folders:
            raise FileNotFoundError("PostgreSQL is not installed")
        self.programs = folders[-1].parent
        data = os.path.join(self.folder, "data")
        run(self.as_user([self.programs / "initdb", "-D", data, "-U", "tester", "--auth=trust", "-N", "-E", "UTF8",
                          "--locale=C.UTF-8"]))
        settings = ["listen_addresses=127.0.0.1", "fsync=off", "full_page_writes=off", "shared_buffers=1GB",
                    "wal_level=logical", "max_wal_size=8GB", "checkpoint_timeout=1h", "max_wal_senders=8",
                    "autovacuum=off", "logical_decoding_work_mem=1GB"]
        self.process = Process([self.programs / "postgres", "-D", data, "-k", self.folder, "-p", str(self.port)]
                               + [word for setting in settings for word in ("-c", setting)], self.folder, self.user)
        self.url = f"postgresql://tester@127.0.0.1:{self.port}/postgres"
        until("PostgreSQL starts", lambda: subprocess.run(self.psql("SELECT 1"), capture_output=True).returncode == 0)

    def psql(self, sql=None):
        command = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-p", str(self.port), "-U",
                   "tester", "-d", "postgres"]
        return command + (["-c", sql] if sql else [])

    def run(self, sql):
        for statement in sql.split(";\n"):
            out = run(self.psql(statement))
        return out.strip()

    def fill(self, rows):
        self.run(PG_TABLE.replace("%d", str(rows)).replace("VACUUM (FREEZE, ANALYZE) users; CHECKPOINT",
                                                          "VACUUM (FREEZE, ANALYZE) users;\nCHECKPOINT"))


class Maria(Database):
    def __init__(self, root):
        super().__init__(root, "mariadb", "mysql")
        server = shutil.which("mariadbd") or "/usr/sbin/mariadbd"
        if not os.path.exists(server) or not shutil.which("mariadb-install-db"):
            raise FileNotFoundError("MariaDB is not installed")
        data = os.path.join(self.folder, "data")
        run(self.as_user(["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db",
                          "--auth-root-authentication-method=normal"]))
        self.socket = os.path.join(self.folder, "socket")
        self.process = Process([server, "--no-defaults", f"--datadir={data}", f"--port={self.port}",
                                "--bind-address=127.0.0.1", f"--socket={self.socket}",
                                f"--pid-file={self.folder}/pid", "--innodb-flush-log-at-trx-commit=0",
                                "--innodb-buffer-pool-size=1G", "--innodb-flush-method=nosync", "--skip-name-resolve",
                                "--innodb-log-file-size=1G", "--log-bin=log", "--server-id=1", "--sync-binlog=0"],
                               self.folder, self.user)
        self.url = f"mysql://tester:secret@127.0.0.1:{self.port}/shop"
        until("MariaDB starts", lambda: subprocess.run(self.client("SELECT 1"), capture_output=True).returncode == 0)
        run(self.client("CREATE DATABASE shop CHARACTER SET utf8mb4; CREATE USER tester@'%' IDENTIFIED BY 'secret'; "
                        "GRANT ALL ON shop.* TO tester@'%'; GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO tester@'%'"))

    def client(self, sql):
        return ["mariadb", "--no-defaults", "-uroot", f"--socket={self.socket}", "-N", "-e", sql]

    def fill(self, rows):
        run(self.client("USE shop; SET SESSION sql_log_bin = 0; " + MY_TABLE % rows))


def fill_sqlite(path, rows):
    import sqlite3
    db = sqlite3.connect(path)
    db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT, "
                     "email TEXT, age INTEGER, created_at TEXT, profile TEXT)")
    def documents():
        for n in range(1, rows + 1):
            yield (n, f"Given Family {n % 10007}", f"user{n}@example.test", 18 + n % 60, "2020-01-01 00:00:00",
                   '{"city": "Town %d", "plan": "standard", "tags": ["alpha", "beta", "gamma"], "score": %d, "active": %s}'
                   % (n % 997, n % 1000, "true" if n % 2 == 0 else "false"))
    with db:
        db.executemany("INSERT INTO users VALUES (?, ?, ?, ?, ?, ?)", documents())
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


class Client:
    """One connection that asks and waits."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.sock.makefile("rb")

    def ask(self, *words):
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            data = str(word).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
        self.sock.sendall(b"".join(parts))
        line = self.file.readline()
        if line[:1] == b"$" and line != b"$-1\r\n":
            return self.file.read(int(line[1:]) + 2)[:-2].decode()
        return line.decode().rstrip()


class Cache:
    """Servers that speak Redis's protocol; three of them are a cluster."""

    def __init__(self, binary, root, name, nodes):
        self.name, self.ports, self.processes = name, [], []
        for i in range(nodes):
            folder = os.path.join(root, f"{name}-{i}")
            os.mkdir(folder)
            port = free_port()
            command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"]
            if nodes > 1:
                command += ["--cluster-enabled", "yes", "--cluster-node-timeout", "5000"]
            self.ports.append(port)
            self.processes.append(Process(command, folder))
            until(f"{name} starts", lambda: self.answers(port))
        self.clients = [Client(port) for port in self.ports]
        if nodes > 1:
            for i, client in enumerate(self.clients):
                client.ask("CLUSTER", "ADDSLOTSRANGE", 16384 * i // nodes, 16384 * (i + 1) // nodes - 1)
                client.ask("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
                if i > 0:
                    self.clients[0].ask("CLUSTER", "MEET", "127.0.0.1", self.ports[i])
            until("the cluster forms", lambda: all(
                "cluster_state:ok" in info and f"cluster_known_nodes:{nodes}" in info
                for info in (client.ask("CLUSTER", "INFO") for client in self.clients)))

    @staticmethod
    def answers(port):
        try:
            return Client(port).ask("PING") == "+PONG"
        except OSError:
            return False

    def seeds(self):
        return ", ".join(f'"127.0.0.1:{port}"' for port in self.ports)

    def flush(self):
        for client in self.clients:
            client.ask("FLUSHALL")

    def keys(self):
        return sum(int(client.ask("DBSIZE")[1:]) for client in self.clients)

    def cpu(self):
        return sum(cpu_seconds(process.pid) for process in self.processes)

    def client_of(self, key):
        for client in self.clients:
            if not client.ask("GET", key).startswith("-MOVED"):
                return client
        sys.exit(f"nobody has {key}")

    def stop(self):
        for process in self.processes:
            process.stop(signal.SIGTERM)
