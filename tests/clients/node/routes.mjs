// The routes that the official package calls, read out of its source, and the types of their answers.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

// `one` is an answer, `item` what a list is of, `event` what a stream is of; null is what no type describes.
export const TYPES = {
  'POST /v1/chat/completions': { one: 'ChatCompletion', event: 'ChatCompletionChunk' },
  'POST /v1/embeddings': { one: 'CreateEmbeddingResponse' },
  'GET /v1/files': { item: 'FileObject' },
  'POST /v1/files': { one: 'FileObject' },
  'GET /v1/files/{}': { one: 'FileObject' },
  'DELETE /v1/files/{}': { one: 'FileDeleted' },
  'GET /v1/files/{}/content': { one: null },
  'GET /v1/models': { item: 'Model' },
  'GET /v1/models/{}': { one: 'Model' },
  'POST /v1/responses': { one: 'Response', event: 'ResponseStreamEvent' },
  'POST /v1/responses/input_tokens': { one: 'InputTokenCountResponse' },
  'GET /v1/responses/{}': { one: 'Response', event: 'ResponseStreamEvent' },
  'DELETE /v1/responses/{}': { one: null },
  'POST /v1/responses/{}/cancel': { one: 'Response' },
  'GET /v1/responses/{}/input_items': { item: 'ResponseItem' },
  'POST /v1/uploads': { one: 'Upload' },
  'POST /v1/uploads/{}/parts': { one: 'UploadPart' },
  'POST /v1/uploads/{}/complete': { one: 'Upload' },
  'POST /v1/uploads/{}/cancel': { one: 'Upload' },
  'GET /v1/vector_stores': { item: 'VectorStore' },
  'POST /v1/vector_stores': { one: 'VectorStore' },
  'GET /v1/vector_stores/{}': { one: 'VectorStore' },
  'POST /v1/vector_stores/{}': { one: 'VectorStore' },
  'DELETE /v1/vector_stores/{}': { one: 'VectorStoreDeleted' },
  'POST /v1/vector_stores/{}/search': { item: 'VectorStoreSearchResponse' },
  'GET /v1/vector_stores/{}/files': { item: 'VectorStoreFile' },
  'POST /v1/vector_stores/{}/files': { one: 'VectorStoreFile' },
  'GET /v1/vector_stores/{}/files/{}': { one: 'VectorStoreFile' },
  'POST /v1/vector_stores/{}/files/{}': { one: 'VectorStoreFile' },
  'DELETE /v1/vector_stores/{}/files/{}': { one: 'VectorStoreFileDeleted' },
  'GET /v1/vector_stores/{}/files/{}/content': { item: 'FileContentResponse' },
  'POST /v1/vector_stores/{}/file_batches': { one: 'VectorStoreFileBatch' },
  'GET /v1/vector_stores/{}/file_batches/{}': { one: 'VectorStoreFileBatch' },
  'POST /v1/vector_stores/{}/file_batches/{}/cancel': { one: 'VectorStoreFileBatch' },
  'GET /v1/vector_stores/{}/file_batches/{}/files': { item: 'VectorStoreFile' },
};

export const normal = (path) => path.replace(/\$?\{[^}]*\}/g, '{}');

// The package's routes, each as "VERB /v1/path/{}": those that it calls by a path as a word, and those of the table.
export function ofThePackage() {
  const folder = dirname(fileURLToPath(import.meta.resolve('openai')));
  const routes = new Set(Object.keys(TYPES));
  for (const file of readdirSync(folder, { recursive: true })) {
    if (!/^(resources|lib)\/(?!beta).*\.mjs$/.test(file)) continue;
    const source = readFileSync(join(folder, file), 'utf8');
    for (const [, call, path, rest] of source.matchAll(/client\.(get|post|delete|getAPIList)\(\s*(?:path\s*)?[`'"]([^`'"]+)[`'"]([^;]*)/g)) {
      const verb = call === 'getAPIList' ? (/method: ['"]post['"]/.test(rest) ? 'POST' : 'GET') : call.toUpperCase();
      routes.add(`${verb} /v1${normal(path)}`);
    }
  }
  return routes;
}

// The route that a request went by.
export function routeOf(verb, path) {
  const fits = Object.keys(TYPES).filter((route) => {
    const [ofVerb, pattern] = route.split(' ');
    return ofVerb === verb && new RegExp(`^${pattern.replaceAll('{}', '[^/]+')}$`).test(path);
  });
  return fits.sort((left, right) => left.split('{}').length - right.split('{}').length)[0];
}
