// The official package for Node.js and LangChain's classes, unmodified; only the address, the key and the model are ours. The last
// test holds what was walked against what the gateway serves.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';

import { MemoryVectorStore } from '@langchain/classic/vectorstores/memory';
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai';
import OpenAI, { toFile } from 'openai';

import { TYPES, normal, ofThePackage } from './routes.mjs';
import { complaints, proven, recording } from './strict.mjs';

const [baseURL, apiKey, documents] = [`${process.env.RAGLINE_URL}/v1`, process.env.RAGLINE_API_KEY, process.env.RAGLINE_DOCUMENTS];
const client = new OpenAI({ baseURL, apiKey, fetch: recording, maxRetries: 0 });
const embeddingModel = 'all-MiniLM-L6-v2';
const model = 'ragline';
const question = 'How long is the notice period of the lease?';
const messages = [{ role: 'user', content: question }];

// A test that fails, too, when an answer it got is not of the package's types.
function check(name, run) {
  test(name, async () => {
    await complaints();
    await run();
    assert.deepEqual(await complaints(), []);
  });
}

const all = async (list) => {
  const found = [];
  for await (const item of list) found.push(item);
  return found;
};

async function withStore(run) {
  const store = await client.vectorStores.create({ name: 'node', metadata: { shelf: 'b' } });
  for (const name of readdirSync(documents)) {
    const file = await toFile(readFileSync(`${documents}/${name}`), name);
    const added = await client.vectorStores.files.uploadAndPoll(store.id, file);
    assert.equal(added.status, 'completed');
  }
  await run(store.id);
  await client.vectorStores.delete(store.id);
}

check('embeddings: base64 and floats are the same vectors', async () => {
  const input = ['one', 'two'];
  const byDefault = await client.embeddings.create({ model: embeddingModel, input });
  const floats = await client.embeddings.create({ model: embeddingModel, input, encoding_format: 'float' });
  for (const [place, { embedding }] of floats.data.entries()) {
    assert.equal(embedding.length, 384);
    embedding.forEach((part, number) => assert.ok(Math.abs(part - byDefault.data[place].embedding[number]) < 1e-6));
  }
});

check('errors: they are the package\'s own classes', async () => {
  await assert.rejects(client.embeddings.create({ model: 'none', input: 'a' }), (error) => {
    return error instanceof OpenAI.NotFoundError && error.code === 'model_not_found' && error.requestID.startsWith('req_');
  });
  const stranger = new OpenAI({ baseURL, apiKey: 'wrong', fetch: recording, maxRetries: 0 });
  await assert.rejects(stranger.embeddings.create({ model: embeddingModel, input: 'a' }), OpenAI.AuthenticationError);
});

check('models: they are listed and shown', async () => {
  const names = (await all(client.models.list())).map(({ id }) => id);
  assert.ok(names.includes(model) && names.includes(embeddingModel));
  assert.equal((await client.models.retrieve(model)).id, model);
});

check('chat: whole and as a stream', async () => {
  const whole = await client.chat.completions.create({ model, messages });
  const { content, annotations } = whole.choices[0].message;
  assert.match(content, /three months/);
  assert.ok(annotations.length > 0);
  const cut = await client.chat.completions.create({ model, messages, stop: ['months'] });
  assert.equal(cut.choices[0].message.content, content.slice(0, content.indexOf('months')).trimEnd());
  const stream = await client.chat.completions.create({ model, messages, stream: true, stream_options: { include_usage: true } });
  const chunks = await all(stream);
  assert.equal(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join(''), content);
  assert.ok(chunks.at(-1).usage.total_tokens > 0);
  const gathered = await client.chat.completions.stream({ model, messages }).finalContent();
  assert.equal(gathered, content);
});

check('files: kept as they are, listed page by page, deleted', async () => {
  const made = [];
  for (const name of ['a.txt', 'b.txt', 'c.txt']) {
    made.push((await client.files.create({ file: await toFile(Buffer.from(name), name), purpose: 'assistants' })).id);
  }
  const found = (await all(client.files.list({ limit: 2, order: 'asc' }))).map(({ id }) => id);
  assert.deepEqual(found.filter((id) => made.includes(id)), made);
  assert.equal((await client.files.retrieve(made[0])).filename, 'a.txt');
  assert.equal(await (await client.files.content(made[0])).text(), 'a.txt');
  for (const id of made) assert.ok((await client.files.delete(id)).deleted);
});

check('uploads: in parts, put together as they are named, or given up', async () => {
  const announced = { filename: 'parts.txt', mime_type: 'text/plain', purpose: 'assistants' };
  const upload = await client.uploads.create({ ...announced, bytes: 10 });
  const part = async (text) => (await client.uploads.parts.create(upload.id, { data: await toFile(Buffer.from(text), 'blob') })).id;
  const [second, first] = await Promise.all([part('world'), part('hello')]);
  const done = await client.uploads.complete(upload.id, { part_ids: [first, second], md5: 'fc5e038d38a57032085441e7fe7010b0' });
  assert.equal(done.status, 'completed');
  assert.equal(await (await client.files.content(done.file.id)).text(), 'helloworld');
  await client.files.delete(done.file.id);
  const other = await client.uploads.create({ ...announced, bytes: 1 });
  assert.equal((await client.uploads.cancel(other.id)).status, 'cancelled');
});

check('vector stores: search, filters, files, batches', () => withStore(async (store) => {
  const page = await client.vectorStores.search(store, { query: question, max_num_results: 2 });
  assert.match(page.data[0].content[0].text, /three months/);
  assert.ok(page.data.every(({ score }) => score >= 0 && score <= 1));
  assert.equal((await client.vectorStores.retrieve(store)).file_counts.completed, 3);
  assert.equal((await client.vectorStores.update(store, { name: 'changed' })).name, 'changed');
  assert.ok((await all(client.vectorStores.list({ limit: 1 }))).some(({ id }) => id === store));
  const batch = await client.vectorStores.fileBatches.uploadAndPoll(store, {
    files: [await toFile(Buffer.from('The boat is green.'), 'boat.txt'), await toFile(Buffer.from('The bell is loud.'), 'bell.txt')],
  });
  assert.equal(batch.file_counts.completed, 2);
  const files = await all(client.vectorStores.fileBatches.listFiles(batch.id, { vector_store_id: store, limit: 1 }));
  assert.equal(files.length, 2);
  const [{ id }] = files;
  const inside = { vector_store_id: store };
  assert.equal((await client.vectorStores.fileBatches.retrieve(batch.id, inside)).status, 'completed');
  const attributes = { colour: 'green', year: 2024, old: true };
  assert.deepEqual((await client.vectorStores.files.update(id, { ...inside, attributes })).attributes, attributes);
  assert.deepEqual((await client.vectorStores.files.retrieve(id, inside)).attributes, attributes);
  const filters = { type: 'and', filters: [{ type: 'gte', key: 'year', value: 2024 }, { type: 'eq', key: 'old', value: true }] };
  const filtered = await client.vectorStores.search(store, { query: 'What is green?', filters });
  assert.deepEqual(filtered.data.map((found) => found.file_id), [id]);
  assert.ok((await all(await client.vectorStores.files.content(id, inside))).length > 0);
  assert.equal((await all(client.vectorStores.files.list(store, { limit: 2 }))).length, 5);
  assert.ok((await client.vectorStores.files.delete(id, inside)).deleted);
  const file = await client.files.create({ file: await toFile(Buffer.from('The gate is shut.'), 'gate.txt'), purpose: 'assistants' });
  assert.equal((await client.vectorStores.files.createAndPoll(store, { file_id: file.id })).status, 'completed');
  const other = await client.vectorStores.fileBatches.create(store, { file_ids: [file.id] });
  await client.vectorStores.fileBatches.cancel(other.id, inside);
}));

check('responses: whole, as a stream, kept and deleted', () => withStore(async (store) => {
  const tools = [{ type: 'file_search', vector_store_ids: [store] }];
  const whole = await client.responses.create({ model, input: question, tools, include: ['file_search_call.results'] });
  assert.match(whole.output_text, /three months/);
  const { input_tokens: tokens } = await client.responses.inputTokens.count({ model, input: question, tools });
  assert.ok(tokens > 20);
  await assert.rejects(client.responses.compact({ model, input: question }), OpenAI.NotFoundError);
  const events = await all(await client.responses.create({ model, input: question, tools, stream: true }));
  assert.equal(events.at(-1).type, 'response.completed');
  assert.equal(events.filter(({ type }) => type === 'response.output_text.delta').map(({ delta }) => delta).join(''), whole.output_text);
  assert.equal((await client.responses.retrieve(whole.id)).output_text, whole.output_text);
  assert.equal((await all(client.responses.inputItems.list(whole.id))).length, 1);
  const next = await client.responses.create({ model, input: 'And the garden?', previous_response_id: whole.id });
  assert.equal(next.previous_response_id, whole.id);
  const background = await client.responses.create({ model, input: question, background: true });
  assert.ok(['cancelled', 'completed'].includes((await client.responses.cancel(background.id)).status));
  await client.responses.delete(whole.id);
  await assert.rejects(client.responses.retrieve(whole.id), OpenAI.NotFoundError);
}));

const ours = { apiKey, maxRetries: 0, configuration: { baseURL, fetch: recording } };

check('LangChain: a vector store finds by our embeddings', async () => {
  const texts = readdirSync(documents).map((name) => ({ pageContent: readFileSync(`${documents}/${name}`, 'utf8'), metadata: { name } }));
  const store = await MemoryVectorStore.fromDocuments(texts, new OpenAIEmbeddings({ ...ours, model: embeddingModel }));
  const [[found, score], [, next]] = await store.similaritySearchWithScore(question, 2);
  assert.equal(found.metadata.name, 'lease.md');
  assert.ok(score > next);
});

check('LangChain: chat answers whole and piece by piece', async () => {
  const chat = new ChatOpenAI({ ...ours, model });
  const whole = await chat.invoke(question);
  assert.match(whole.content, /three months/);
  const pieces = await all(await chat.stream(question));
  assert.equal(pieces.map(({ content }) => content).join(''), whole.content);
});

test('every route that OpenAI has was proven', async () => {
  const { paths } = await (await fetch(`${process.env.RAGLINE_URL}/openapi.json`)).json();
  const openais = ofThePackage();
  const shared = Object.entries(paths).flatMap(([path, item]) => Object.keys(item).map((verb) => `${verb.toUpperCase()} ${normal(path)}`)).filter((route) => openais.has(route));
  assert.ok(shared.length > 0, 'the gateway has no route of OpenAI\'s');
  const ways = shared.flatMap((route) => (TYPES[route]?.event && route.startsWith('POST') ? [route, `${route} as a stream`] : [route]));
  assert.deepEqual(ways.filter((way) => !proven.has(way)), []);
});
