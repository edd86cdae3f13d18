import {
  boolean,
  instant,
  integer,
  json,
  list,
  needed,
  oneOf,
  sid,
  text,
  timer,
  timerText,
  url,
} from './parameters.js';

/** The parameters of every operation, as Twilio's published document and limits have them. */

const KB = 1024;
export const MAX_INDEX = 2 ** 40;
const dates = { DateCreated: instant(50308), DateUpdated: instant(50309) };

export const CONVERSATION_STATES = ['initializing', 'inactive', 'active', 'closed'] as const;

const conversation = {
  FriendlyName: text(256, 50003),
  UniqueName: text(256, 50004),
  ...dates,
  MessagingServiceSid: sid('MG', 50341, 50340),
  Attributes: json(16 * KB),
  State: oneOf(CONVERSATION_STATES, 50378, 50374),
  'Timers.Inactive': timer(60, 50375, 50379),
  'Timers.Closed': timer(600, 50376, 50380),
  'Bindings.Email.Address': text(256),
  'Bindings.Email.Name': text(256),
};

const autoCreation = {
  'AutoCreation.Enabled': boolean(),
  'AutoCreation.Type': oneOf(['webhook', 'studio', 'default']),
  'AutoCreation.ConversationServiceSid': sid('IS'),
  'AutoCreation.WebhookUrl': url(2048, 50078, 50078),
  'AutoCreation.WebhookMethod': oneOf(['get', 'post'], 50055),
  'AutoCreation.WebhookFilters': list(text(128)),
  'AutoCreation.StudioFlowSid': sid('FW', 50367),
  'AutoCreation.StudioRetryCount': integer(0, 100, 50065),
};

const webhookTarget = {
  Method: oneOf(['GET', 'POST'], 50055),
  Filters: list(text(128)),
  PreWebhookUrl: url(2048, 50077, 50077),
  PostWebhookUrl: url(2048, 50078, 50078),
};

const scopedWebhook = {
  'Configuration.Url': url(512, 50372, 50369),
  'Configuration.Method': oneOf(['get', 'post'], 50055),
  'Configuration.Filters': list(text(128, 50365)),
  'Configuration.Triggers': list(text(248, 50366)),
  'Configuration.FlowSid': sid('FW', 50367),
};

const credential = {
  FriendlyName: text(256, 50003),
  Certificate: text(),
  PrivateKey: text(),
  Sandbox: boolean(),
  ApiKey: text(),
  Secret: text(),
};

const user = { FriendlyName: text(256, 50003), Attributes: json(16 * KB), RoleSid: sid('RL') };
const binding = {
  'MessagingBinding.ProxyAddress': text(256, 50408),
  'MessagingBinding.ProjectedAddress': text(256, 50407),
};
const permissions = { Permission: needed(list(text(64, 50104))) };
const credentialType = oneOf(['apn', 'gcm', 'fcm']);

const message = {
  Author: text(256, 50310),
  Body: text(),
  ...dates,
  Attributes: json(4 * KB),
  Subject: text(256),
};

export const forms = {
  none: {},
  serviceCreate: { FriendlyName: needed(text(256, 50003), 50000) },

  configuration: {
    DefaultChatServiceSid: sid('IS'),
    DefaultMessagingServiceSid: sid('MG', 50341, 50340),
    DefaultInactiveTimer: timerText(60, 50375, 50379),
    DefaultClosedTimer: timerText(600, 50376, 50380),
  },
  serviceConfiguration: {
    DefaultConversationCreatorRoleSid: sid('RL'),
    DefaultConversationRoleSid: sid('RL'),
    DefaultChatServiceRoleSid: sid('RL'),
    ReachabilityEnabled: boolean(),
  },
  configurationWebhook: { ...webhookTarget, Target: oneOf(['webhook', 'flex']) },
  serviceWebhook: webhookTarget,
  notifications: {
    LogEnabled: boolean(),
    'NewMessage.Enabled': boolean(),
    'NewMessage.Template': text(),
    'NewMessage.Sound': text(),
    'NewMessage.BadgeCountEnabled': boolean(),
    'AddedToConversation.Enabled': boolean(),
    'AddedToConversation.Template': text(),
    'AddedToConversation.Sound': text(),
    'RemovedFromConversation.Enabled': boolean(),
    'RemovedFromConversation.Template': text(),
    'RemovedFromConversation.Sound': text(),
    'NewMessage.WithMedia.Enabled': boolean(),
    'NewMessage.WithMedia.Template': text(),
  },

  addressCreate: {
    Type: needed(oneOf(['sms', 'whatsapp', 'messenger', 'gbm', 'email', 'rcs', 'apple', 'chat'])),
    Address: needed(text(256)),
    FriendlyName: text(256, 50003),
    ...autoCreation,
    AddressCountry: text(2),
  },
  addressUpdate: { FriendlyName: text(256, 50003), ...autoCreation },

  conversation,
  conversationWithParticipants: { ...conversation, Participant: list(text()) },

  participantCreate: {
    Identity: text(256, 50207),
    'MessagingBinding.Address': text(256, 50407),
    ...binding,
    ...dates,
    Attributes: json(4 * KB),
    RoleSid: sid('RL'),
  },
  participantUpdate: {
    ...dates,
    Attributes: json(4 * KB),
    RoleSid: sid('RL'),
    ...binding,
    Identity: text(256, 50207),
    LastReadMessageIndex: integer(0, MAX_INDEX, 50516, 50421),
    LastReadTimestamp: instant(),
  },

  messageCreate: {
    ...message,
    MediaSid: sid('ME', 50506),
    ContentSid: sid('HX'),
    ContentVariables: json(64 * KB),
  },
  messageUpdate: message,

  scopedWebhookCreate: {
    Target: needed(oneOf(['webhook', 'trigger', 'studio'], 50364), 50368),
    ...scopedWebhook,
    'Configuration.ReplayAfter': integer(0, MAX_INDEX),
  },
  scopedWebhookUpdate: scopedWebhook,

  roleCreate: {
    FriendlyName: needed(text(256, 50003)),
    Type: needed(oneOf(['conversation', 'service'], 50105)),
    ...permissions,
  },
  roleUpdate: permissions,

  userCreate: { Identity: needed(text(256, 50207), 20001, 50204), ...user },
  userUpdate: user,
  userConversation: {
    NotificationLevel: oneOf(['default', 'muted'], 50210),
    LastReadTimestamp: instant(),
    LastReadMessageIndex: integer(0, MAX_INDEX, 50516, 50421),
  },

  credentialCreate: { Type: needed(credentialType), ...credential },
  credentialUpdate: { Type: credentialType, ...credential },
} as const;

const paging = { PageSize: integer(1, 1_000_000), Page: integer(0, 1_000_000_000), PageToken: text() };

export const queries = {
  none: {},
  page: paging,
  addresses: { Type: text(32), ...paging },
  conversations: {
    StartDate: instant(),
    EndDate: instant(),
    State: oneOf(CONVERSATION_STATES, 50378),
    ...paging,
  },
  messages: { Order: oneOf(['asc', 'desc']), ...paging },
  participantConversations: { Identity: text(256, 50207), Address: text(256, 50407), ...paging },
  bindings: {
    BindingType: list(oneOf(['apn', 'gcm', 'fcm', 'twilsock'], 50209)),
    Identity: list(text(256, 50207)),
    ...paging,
  },
} as const;
