// Every answer of the gateway on its way to the package: written down as it came, then held against a schema that is made of the
// package's own TypeScript types, in which no field is unknown, none that is needed is missing, and every value has its type.
import { Ajv } from 'ajv';
import { createGenerator } from 'ts-json-schema-generator';

import { TYPES, routeOf } from './routes.mjs';

const LIST_FIELDS = ['data', 'first_id', 'has_more', 'last_id', 'object'];
const LISTS = {
  'GET /v1/models': ['data', 'object'],
  'POST /v1/vector_stores/{}/search': ['data', 'has_more', 'next_page', 'object', 'search_query'],
  'GET /v1/vector_stores/{}/files/{}/content': ['data', 'has_more', 'next_page', 'object'],
};
const ERROR_FIELDS = ['code', 'message', 'param', 'type'];
// The one field that Ragline adds to OpenAI's answers.
const OWN_FIELD = 'ragline';

const schema = createGenerator({ path: 'contract.ts', tsconfig: 'tsconfig.json', type: 'Contract', skipTypeCheck: true }).createSchema('Contract');
// The package adds this one itself, to whole responses.
schema.definitions.Response.required = schema.definitions.Response.required.filter((name) => name !== 'output_text');
const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
ajv.addSchema(schema, 'contract');

const exchanges = [];
// Routes whose answers were held against the schema, and streams of them.
export const proven = new Set();

// A fetch that writes down what comes back.
export async function recording(url, options) {
  const response = await fetch(url, options);
  const at = new URL(url instanceof Request ? url.url : url);
  // The package tries by an address of data whether this is a real fetch.
  if (at.protocol === 'data:') return response;
  const kind = response.headers.get('content-type') ?? '';
  exchanges.push({
    where: `${options?.method ?? 'GET'} ${at.pathname} (${response.status})`,
    verb: options?.method ?? 'GET',
    path: at.pathname,
    status: response.status,
    isStream: kind.startsWith('text/event-stream'),
    requestId: response.headers.get('x-request-id'),
    body: response.clone().text(),
  });
  return response;
}

// What is wrong with the answers since the last call.
export async function complaints() {
  const found = [];
  for (const exchange of exchanges.splice(0)) found.push(...(await judge(exchange)));
  return found;
}

async function judge(exchange) {
  const { where } = exchange;
  const found = exchange.requestId ? [] : [`${where}: no x-request-id`];
  const body = await exchange.body;
  if (exchange.status >= 400) {
    const error = JSON.parse(body).error;
    if (`${Object.keys(error ?? {}).sort()}` !== `${ERROR_FIELDS}`) found.push(`${where}: no error in OpenAI's shape: ${body}`);
    return found;
  }
  const route = routeOf(exchange.verb, exchange.path);
  if (!route) return [...found, `${where}: no type is known`];
  const { one, item, event } = TYPES[route];
  if (exchange.isStream) found.push(...streamComplaints(event, body, where));
  else if (item) found.push(...listComplaints(route, item, JSON.parse(body), where));
  else if (one) found.push(...parse(one, decoded(JSON.parse(body)), where));
  if (found.length === 0) proven.add(exchange.isStream ? `${route} as a stream` : route);
  return found;
}

function parse(type, value, where) {
  const validate = ajv.getSchema(`contract#/definitions/${branch(type, value)}`) ?? ajv.compile({ $ref: `contract#/definitions/Contract/properties/${type}` });
  if (validate(withoutOwn(value))) return [];
  // Of a union every branch says what is wrong; what lies deepest is of the branch that the value comes closest to.
  const errors = validate.errors.filter((error) => !error.message.startsWith('must match a schema')).sort((a, b) => b.instancePath.length - a.instancePath.length);
  return errors.slice(0, 8).map((error) => `${where}: ${error.instancePath || 'it'} ${error.message} ${JSON.stringify(error.params)}`);
}

// The definition of a type, or of the branch of a union that has the value's own `type`.
function branch(type, value) {
  for (const option of schema.definitions[type]?.anyOf ?? []) {
    const name = decodeURIComponent((option.$ref ?? '').replace('#/definitions/', ''));
    if (value.type && schema.definitions[name]?.properties?.type?.const === value.type) return encodeURIComponent(name);
  }
  return type;
}

function streamComplaints(type, body, where) {
  if (!type) return [`${where}: the package expects no stream`];
  const found = [];
  const events = body.replaceAll('\r\n', '\n').split('\n\n').flatMap((block) => {
    const data = block.split('\n').filter((line) => line.startsWith('data:')).map((line) => line.slice(5).trimStart());
    return data.length ? [data.join('\n')] : [];
  });
  if (events.length === 0) found.push(`${where}: the stream is empty`);
  for (const data of events) {
    if (data !== '[DONE]') found.push(...parse(type, JSON.parse(data), `${where}, event ${JSON.parse(data).type ?? ''}`));
  }
  return found;
}

function listComplaints(route, type, page, where) {
  const [has, wanted] = [`${Object.keys(page).sort()}`, `${LISTS[route] ?? LIST_FIELDS}`];
  const found = has === wanted ? [] : [`${where}: the list has the fields ${has}, not ${wanted}`];
  return found.concat(page.data.flatMap((item) => parse(type, item, where)));
}

// The package decodes vectors in base64 before its types see them.
function decoded(answer) {
  for (const item of answer.data ?? []) {
    if (typeof item.embedding === 'string') {
      const bytes = Buffer.from(item.embedding, 'base64');
      item.embedding = Array.from({ length: bytes.length / 4 }, (_, place) => bytes.readFloatLE(place * 4));
    }
  }
  return answer;
}

function withoutOwn(value) {
  const { [OWN_FIELD]: _, ...rest } = value;
  return rest.response ? { ...rest, response: withoutOwn(rest.response) } : rest;
}
