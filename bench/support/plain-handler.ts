import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import express from 'express';
import twilio from 'twilio';

/**
 * What every sample does: a route of Express, and the official library as it comes, one call after the other. No key, no
 * database, nothing durable. A process of its own; prints where it listens.
 */
const [, , sandboxUrl = '', accountSid = '', apiKeySid = '', apiKeySecret = ''] = process.argv;
const client = twilio(apiKeySid, apiKeySecret, { accountSid });
client.conversations.baseUrl = sandboxUrl;

const app = express();
app.use(express.json());
app.post('/chats', async (request, response) => {
  const { participants, body } = request.body as { participants: string[]; body: string };
  const { sid } = await client.conversations.v1.conversations.create({ uniqueName: randomUUID() });
  const conversation = client.conversations.v1.conversations(sid);
  for (const identity of participants) await conversation.participants.create({ identity });
  await conversation.messages.create({ author: 'system', body });
  response.status(201).json({ sid });
});

const server = app.listen(0, '127.0.0.1', () => {
  process.stdout.write(
    `plain handler listening on http://127.0.0.1:${(server.address() as AddressInfo).port}\n`,
  );
});
