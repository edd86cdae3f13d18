/** The bodies of the control API, as JSON Schema. */
const text = { type: 'string' } as const;
const count = { type: 'integer', minimum: 0 } as const;
const closed = { type: 'object', additionalProperties: false } as const;
const type = (name: string) => ({ const: name });

export const fault = {
  ...closed,
  required: ['fault'],
  properties: {
    match: {
      ...closed,
      properties: {
        method: text,
        path: text,
        nth: { type: 'integer', minimum: 1 },
        times: { type: 'integer', minimum: 1 },
        probability: { type: 'number', minimum: 0, maximum: 1 },
      },
    },
    fault: {
      type: 'object',
      oneOf: [
        {
          ...closed,
          required: ['type', 'status'],
          properties: {
            type: type('status'),
            status: { type: 'integer', minimum: 200, maximum: 599 },
            code: { type: 'integer' },
            retryAfterSeconds: count,
          },
        },
        {
          ...closed,
          required: ['type', 'ms'],
          properties: { type: type('delay'), ms: count, applied: { enum: ['before', 'after'] } },
        },
        { ...closed, required: ['type'], properties: { type: type('reset-before'), applyAfterMs: count } },
        { ...closed, required: ['type'], properties: { type: type('reset-after') } },
        {
          ...closed,
          required: ['type', 'applied'],
          properties: { type: type('hang'), applied: { type: 'boolean' } },
        },
        {
          ...closed,
          required: ['type'],
          properties: { type: { enum: ['webhook-drop', 'webhook-duplicate', 'webhook-reorder'] } },
        },
      ],
    },
  },
} as const;

export const since = {
  ...closed,
  properties: { since: { type: 'string', pattern: '^\\d{1,15}$' } },
} as const;

export const clock = {
  ...closed,
  minProperties: 1,
  maxProperties: 1,
  properties: { advance: text, set: text, real: { const: true } },
} as const;

export const token = { ...closed, required: ['token'], properties: { token: text } } as const;

export const inbound = {
  ...closed,
  required: ['from', 'to', 'body'],
  properties: { from: text, to: text, body: text },
} as const;

export const receipt = {
  ...closed,
  required: ['conversationSid', 'messageSid', 'status'],
  properties: {
    conversationSid: text,
    messageSid: text,
    participantSid: text,
    status: { enum: ['sent', 'delivered', 'read', 'failed', 'undelivered'] },
    errorCode: count,
  },
} as const;

export const binding = {
  ...closed,
  required: ['identity', 'bindingType', 'credentialSid', 'endpoint'],
  properties: {
    chatServiceSid: text,
    identity: text,
    bindingType: { enum: ['apn', 'gcm', 'fcm', 'twilsock'] },
    credentialSid: text,
    endpoint: text,
    messageTypes: { type: 'array', items: text },
  },
} as const;
