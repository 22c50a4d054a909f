// The uses that applications make of ioredis: node ioredis.mjs <port> <port of a cluster's node>
import assert from 'node:assert/strict';
import Redis from 'ioredis';

const [port, clusterPort] = process.argv.slice(2).map(Number);
const options = { host: '127.0.0.1', port, lazyConnect: false, maxRetriesPerRequest: 1 };
const client = new Redis(options);

async function valuesAndPipelines() {
  await client.set('plain', 'text', 'EX', 100);
  assert.equal(await client.get('plain'), 'text');
  assert.ok(await client.ttl('plain') > 90);
  assert.deepEqual(await client.getBuffer('plain'), Buffer.from('text'));
  await client.hset('h', { a: 1, b: 'two' });
  assert.deepEqual(await client.hgetall('h'), { a: '1', b: 'two' });
  await client.zadd('z', 1, 'one', 2.5, 'more');
  assert.deepEqual(await client.zrange('z', 0, -1, 'WITHSCORES'), ['one', '1', 'more', '2.5']);

  const pipeline = client.pipeline();
  for (let i = 0; i < 1000; ++i) pipeline.incrby('sum', i).rpush('l', i);
  const results = await pipeline.exec();
  assert.equal(results.length, 2000);
  assert.ok(results.every(([error]) => error === null));
  assert.equal(results[1998][1], 499500);
  assert.equal(await client.llen('l'), 1000);
  await assert.rejects(client.incr('plain'), /not an integer/);
}

async function transactions() {
  const done = await client.multi().set('t', '1').incr('t').get('t').exec();
  assert.deepEqual(done, [[null, 'OK'], [null, 2], [null, '2']]);
  const other = client.duplicate();
  await client.watch('t');
  await other.set('t', 'changed');
  assert.equal(await client.multi().set('t', 'lost').exec(), null);
  assert.equal(await client.get('t'), 'changed');
  await other.quit();
}

async function scripts() {
  client.defineCommand('addTo', {
    numberOfKeys: 1,
    lua: "return redis.call('INCRBY', KEYS[1], ARGV[1])",
  });
  assert.equal(await client.addTo('counter', 5), 5);
  assert.equal(await client.addTo('counter', 5), 10);
  assert.deepEqual(await client.eval('return {1, ARGV[1], {KEYS[1]}}', 1, 'k', 'x'), [1, 'x', ['k']]);
}

async function pubSub() {
  const subscriber = client.duplicate();
  const heard = [];
  const three = new Promise((resolve) => {
    const note = (...words) => { if (heard.push(words) === 3) resolve(); };
    subscriber.on('message', (channel, message) => note(channel, message));
    subscriber.on('pmessage', (pattern, channel, message) => note(pattern, channel, message));
  });
  await subscriber.subscribe('news');
  await subscriber.psubscribe('wea*');
  await client.publish('news', 'one');
  await client.publish('weather', 'two');
  await client.publish('news', 'three');
  await three;
  assert.deepEqual(heard, [['news', 'one'], ['wea*', 'weather', 'two'], ['news', 'three']]);
  await subscriber.quit();
}

async function blocking() {
  const waiter = client.duplicate();
  const popped = waiter.blpop('jobs', 5);
  await client.rpush('jobs', 'first');
  assert.deepEqual(await popped, ['jobs', 'first']);
  assert.equal(await waiter.blpop('jobs', 0.05), null);
  const entry = waiter.xread('BLOCK', 5000, 'STREAMS', 'events', '$');
  // The reader must stand before the entry is added.
  while (!(await client.info('clients')).includes('blocked_clients:1')) { /* ask again */ }
  const id = await client.xadd('events', '*', 'kind', 'login');
  assert.deepEqual(await entry, [['events', [[id, ['kind', 'login']]]]]);
  await waiter.quit();
}

async function scanning() {
  const seen = new Set();
  for await (const keys of client.scanStream({ match: '*', count: 100 })) keys.forEach((k) => seen.add(k));
  assert.ok(seen.has('plain') && seen.has('z'));
}

async function cluster() {
  const nodes = new Redis.Cluster([{ host: '127.0.0.1', port: clusterPort }]);
  await Promise.all(Array.from({ length: 300 }, (_, i) => nodes.set(`key:${i}`, `v${i}`)));
  const read = await Promise.all(Array.from({ length: 300 }, (_, i) => nodes.get(`key:${i}`)));
  assert.deepEqual(read, Array.from({ length: 300 }, (_, i) => `v${i}`));
  assert.deepEqual(await nodes.mget('{user}:a', '{user}:b'), [null, null]);
  assert.equal(nodes.nodes('master').length, 3);
  const sizes = await Promise.all(nodes.nodes('master').map((node) => node.dbsize()));
  assert.equal(sizes.reduce((a, b) => a + b), 300);
  await nodes.quit();
}

await client.flushall();
for (const part of [valuesAndPipelines, transactions, scripts, pubSub, blocking, scanning, cluster]) {
  await part();
  console.log(`ok ${part.name}`);
}
await client.quit();
