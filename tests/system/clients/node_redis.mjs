// The uses that applications make of node-redis: node node_redis.mjs <port> <port of a cluster's node> <resp version>
import assert from 'node:assert/strict';
import { createClient, createCluster } from 'redis';

const [port, clusterPort, RESP] = process.argv.slice(2).map(Number);
const connect = async () => {
  const client = createClient({ url: `redis://127.0.0.1:${port}`, RESP });
  client.on('error', (error) => { throw error; });
  return client.connect();
};
const client = await connect();

async function values() {
  assert.equal(await client.set('plain', 'text', { expiration: { type: 'EX', value: 100 } }), 'OK');
  assert.equal(await client.get('plain'), 'text');
  assert.equal(await client.hSet('h', { a: '1', b: 'two' }), 2);
  assert.deepEqual({ ...await client.hGetAll('h') }, { a: '1', b: 'two' });
  await client.sAdd('s', ['x', 'y']);
  assert.deepEqual([...await client.sMembers('s')].sort(), ['x', 'y']);
  await client.zAdd('z', [{ score: 1, value: 'one' }, { score: 2.5, value: 'more' }]);
  assert.deepEqual((await client.zRangeWithScores('z', 0, -1)).map(({ score, value }) => [value, score]),
    [['one', 1], ['more', 2.5]]);
  assert.equal(await client.zScore('z', 'more'), 2.5);
  await assert.rejects(client.incr('plain'), /not an integer/);
}

async function pipelines() {
  const sums = await Promise.all(Array.from({ length: 1000 }, () => client.incr('n')));
  assert.equal(sums.at(-1), 1000);
}

async function transactions() {
  assert.deepEqual(await client.multi().set('t', '1').incr('t').get('t').exec(), ['OK', 2, '2']);
  const other = await connect();
  await client.watch('t');
  await other.set('t', 'changed');
  await assert.rejects(client.multi().set('t', 'lost').exec(), /changed/i);
  assert.equal(await client.get('t'), 'changed');
  await other.close();
}

async function scripts() {
  const script = "return redis.call('INCRBY', KEYS[1], ARGV[1])";
  assert.equal(await client.eval(script, { keys: ['counter'], arguments: ['5'] }), 5);
  const sha = await client.scriptLoad(script);
  assert.equal(await client.evalSha(sha, { keys: ['counter'], arguments: ['5'] }), 10);
  const library = "#!lua name=lib\nredis.register_function('twice', function(keys, args) return args[1] * 2 end)";
  assert.equal(await client.functionLoad(library, { REPLACE: true }), 'lib');
  assert.equal(await client.fCall('twice', { keys: [], arguments: ['21'] }), 42);
}

async function pubSub() {
  const subscriber = await connect();
  const heard = [];
  const both = new Promise((resolve) => {
    const note = (message, channel) => { if (heard.push([channel, message]) === 2) resolve(); };
    subscriber.subscribe('news', note).then(() => subscriber.pSubscribe('wea*', note)).then(async () => {
      await client.publish('news', 'one');
      await client.publish('weather', 'two');
    });
  });
  await both;
  assert.deepEqual(heard, [['news', 'one'], ['weather', 'two']]);
  await subscriber.close();
}

async function blocking() {
  const waiter = await connect();
  const popped = waiter.blPop('jobs', 5);
  await client.rPush('jobs', 'first');
  assert.deepEqual({ ...await popped }, { key: 'jobs', element: 'first' });
  await waiter.close();
}

async function cluster() {
  const nodes = createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${clusterPort}` }], defaults: { RESP } });
  nodes.on('error', (error) => { throw error; });
  await nodes.connect();
  await Promise.all(Array.from({ length: 300 }, (_, i) => nodes.set(`key:${i}`, `v${i}`)));
  const read = await Promise.all(Array.from({ length: 300 }, (_, i) => nodes.get(`key:${i}`)));
  assert.deepEqual(read, Array.from({ length: 300 }, (_, i) => `v${i}`));
  assert.equal(nodes.masters.length, 3);
  await nodes.close();
}

await client.flushAll();
for (const part of [values, pipelines, transactions, scripts, pubSub, blocking, cluster]) {
  await part();
  console.log(`ok ${part.name}`);
}
await client.close();
