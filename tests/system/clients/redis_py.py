"""What applications do with redis-py: redis_py.py <port> <port of a cluster's node>"""

import sys
import threading

import redis
from redis.cluster import RedisCluster

PORT, CLUSTER_PORT = int(sys.argv[1]), int(sys.argv[2])
CLIENT = redis.Redis(port=PORT, decode_responses=True)


def values():
    assert CLIENT.set("plain", "text", ex=100)
    assert CLIENT.get("plain") == "text"
    assert redis.Redis(port=PORT).get("plain") == b"text"
    CLIENT.hset("h", mapping={"a": 1, "b": "two"})
    assert CLIENT.hgetall("h") == {"a": "1", "b": "two"}
    CLIENT.zadd("z", {"one": 1, "more": 2.5})
    assert CLIENT.zrange("z", 0, -1, withscores=True) == [("one", 1.0), ("more", 2.5)]
    CLIENT.geoadd("g", (13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania"))
    assert abs(CLIENT.geodist("g", "Palermo", "Catania", unit="km") - 166.2742) < 0.001
    CLIENT.pfadd("p", *range(1000))
    assert abs(CLIENT.pfcount("p") - 1000) < 50
    CLIENT.setbit("bits", 7, 1)
    assert CLIENT.bitcount("bits") == 1
    try:
        CLIENT.incr("plain")
        raise AssertionError("INCR of a text went through")
    except redis.ResponseError as error:
        assert "not an integer" in str(error)


def pipelines_and_transactions():
    with CLIENT.pipeline(transaction=False) as pipe:
        for i in range(1000):
            pipe.incrby("sum", i)
        assert pipe.execute()[-1] == 499500
    with CLIENT.pipeline() as pipe:
        pipe.set("t", 1).incr("t").get("t")
        assert pipe.execute() == [True, 2, "2"]
    with CLIENT.pipeline() as pipe:
        pipe.watch("t")
        CLIENT.set("t", "changed")
        pipe.multi()
        pipe.set("t", "lost")
        try:
            pipe.execute()
            raise AssertionError("EXEC went through though a watched key had changed")
        except redis.WatchError:
            pass
    with CLIENT.lock("mutex", timeout=10):  # released by a script
        assert CLIENT.exists("mutex")
    assert not CLIENT.exists("mutex")


def scripts():
    add = CLIENT.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    assert add(keys=["counter"], args=[5]) == 5
    assert add(keys=["counter"], args=[5]) == 10


def pub_sub():
    with CLIENT.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe("news")
        pubsub.psubscribe("wea*")
        while CLIENT.publish("weather", "one") == 0:
            pass
        CLIENT.publish("news", "two")
        heard = []
        while len(heard) < 2:
            message = pubsub.get_message(timeout=5)
            if message is not None:
                heard.append((message["type"], message["channel"], message["data"]))
        assert heard == [("pmessage", "weather", "one"), ("message", "news", "two")], heard


def blocking():
    got = []
    thread = threading.Thread(target=lambda: got.append(CLIENT.blpop("jobs", 5)))
    thread.start()
    CLIENT.rpush("jobs", "first")
    thread.join()
    assert got == [("jobs", "first")]
    CLIENT.xgroup_create("events", "workers", mkstream=True)
    entry = CLIENT.xadd("events", {"kind": "login"})
    read = CLIENT.xreadgroup("workers", "w1", {"events": ">"})
    assert read == [["events", [(entry, {"kind": "login"})]]]
    assert CLIENT.xack("events", "workers", entry) == 1


def cluster():
    nodes = RedisCluster(host="127.0.0.1", port=CLUSTER_PORT, decode_responses=True)
    for i in range(300):
        nodes.set(f"key:{i}", f"v{i}")
    assert [nodes.get(f"key:{i}") for i in range(300)] == [f"v{i}" for i in range(300)]
    with nodes.pipeline() as pipe:
        for i in range(300):
            pipe.get(f"key:{i}")
        assert pipe.execute() == [f"v{i}" for i in range(300)]
    assert len(nodes.get_primaries()) == 3
    assert nodes.mget_nonatomic("key:1", "key:2") == ["v1", "v2"]
    nodes.close()


CLIENT.flushall()
for part in (values, pipelines_and_transactions, scripts, pub_sub, blocking, cluster):
    part()
    print("ok", part.__name__)
