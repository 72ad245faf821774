// What the official package takes the answers for, gathered so that one schema comes of it.
import OpenAI from 'openai';

export interface Contract {
  ChatCompletion: OpenAI.Chat.Completions.ChatCompletion;
  ChatCompletionChunk: OpenAI.Chat.Completions.ChatCompletionChunk;
  CreateEmbeddingResponse: OpenAI.CreateEmbeddingResponse;
  FileContentResponse: OpenAI.VectorStores.FileContentResponse;
  FileDeleted: OpenAI.FileDeleted;
  FileObject: OpenAI.FileObject;
  InputTokenCountResponse: OpenAI.Responses.InputTokenCountResponse;
  Model: OpenAI.Model;
  Response: OpenAI.Responses.Response;
  ResponseItem: OpenAI.Responses.ResponseItem;
  ResponseStreamEvent: OpenAI.Responses.ResponseStreamEvent;
  Upload: OpenAI.Uploads.Upload;
  UploadPart: OpenAI.Uploads.UploadPart;
  VectorStore: OpenAI.VectorStore;
  VectorStoreDeleted: OpenAI.VectorStoreDeleted;
  VectorStoreFile: OpenAI.VectorStores.VectorStoreFile;
  VectorStoreFileBatch: OpenAI.VectorStores.VectorStoreFileBatch;
  VectorStoreFileDeleted: OpenAI.VectorStores.VectorStoreFileDeleted;
  VectorStoreSearchResponse: OpenAI.VectorStoreSearchResponse;
}
