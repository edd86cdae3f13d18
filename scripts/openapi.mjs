/**
 * Writes docs/openapi.json and the Postman collection that is made of it, out of the built service's decorators: nothing
 * is connected to. With `--check` it writes nothing, and fails where a file is not what it would write.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { NestFactory } from '@nestjs/core';
import postman from 'openapi-to-postmanv2';
import { AppModule } from '../dist/src/app.module.js';
import { loadConfig } from '../dist/src/config/app-config.js';
import { createAdapter } from '../dist/src/http-adapter.js';
import { createOpenApiDocument } from '../dist/src/openapi/document.js';

/** Read by the configuration, used by nobody: in Nest's preview no provider is made. */
const UNUSED = {
  DATABASE_URL: 'postgres://nobody@localhost/none',
  TWILIO_ACCOUNT_SID: `AC${'0'.repeat(32)}`,
  TWILIO_API_KEY_SID: `SK${'0'.repeat(32)}`,
  TWILIO_API_KEY_SECRET: '0'.repeat(32),
  TWILIO_CHAT_SERVICE_SID: `IS${'0'.repeat(32)}`,
  LOG_LEVEL: 'silent',
};

async function describeService() {
  const config = loadConfig(UNUSED);
  const options = { preview: true, logger: ['error'], abortOnError: false };
  const app = await NestFactory.create(AppModule.with(config), createAdapter(config), options);
  return createOpenApiDocument(app);
}

/** The folders are the tags; the key and the origin are variables. */
async function toPostman(document) {
  const options = {
    folderStrategy: 'Tags',
    parametersResolution: 'Example',
    requestParametersResolution: 'Example',
    exampleParametersResolution: 'Example',
    enableOptionalParameters: false,
    keepImplicitHeaders: true,
    includeAuthInfoInExample: false,
  };
  const made = await new Promise((resolve, reject) => {
    postman.convertV2({ type: 'json', data: document }, options, (error, result) =>
      error ? reject(error) : resolve(result),
    );
  });
  if (!made.result) throw new Error(made.reason);
  const collection = named(made.output[0].data, 'convoke');
  collection.variable = [
    { key: 'baseUrl', value: 'http://127.0.0.1:3000' },
    { key: 'bearerToken', value: '' },
  ];
  return collection;
}

/**
 * The converter makes ids, answers and values of parameters at random. The ids here are the same each time, and differ by
 * where they stand; answers are left out, and values are for the user to fill in.
 */
function named(value, place) {
  if (Array.isArray(value)) return value.map((item, index) => named(item, `${place}/${item?.name ?? index}`));
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).map(([key, member]) => {
    if (key === 'response') return [key, []];
    if (['query', 'variable', 'header'].includes(key) && Array.isArray(member)) {
      return [key, member.map((parameter) => withoutValue(parameter, key))];
    }
    if (key === 'id' || key === '_postman_id') return [key, uuidOf(`${place}/${key}`)];
    return [key, named(member, `${place}/${key}`)];
  });
  return Object.fromEntries(entries);
}

/** The types of bodies are not for the user to choose. */
function withoutValue(parameter, place) {
  const isFixed = place === 'header' && ['Content-Type', 'Accept'].includes(parameter.key);
  return { ...parameter, id: undefined, value: isFixed ? parameter.value : '' };
}

function uuidOf(text) {
  const hex = createHash('sha256').update(text).digest('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}

const check = process.argv.includes('--check');
const document = await describeService();
const files = {
  'docs/openapi.json': `${JSON.stringify(document, null, 2)}\n`,
  'docs/convoke.postman_collection.json': `${JSON.stringify(await toPostman(document), null, 2)}\n`,
};
for (const [path, text] of Object.entries(files)) {
  const place = new URL(`../${path}`, import.meta.url);
  if (existsSync(place) && readFileSync(place, 'utf8') === text) continue;
  if (check) {
    console.error(`${path} is not what the service is: run npm run openapi, and commit it.`);
    process.exitCode = 1;
  } else {
    writeFileSync(place, text);
    console.log(`${path} is written.`);
  }
}
