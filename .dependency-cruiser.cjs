/**
 * Who may import whom. ARCHITECTURE.md shows the same table to people; a test holds the two equal.
 *
 * A folder may import itself and the folders of earlier rows, never one of its own row or of a later one.
 */
const LAYERS = [
  ['config', 'common'],
  ['database', 'twilio'],
  ['access'],
  ['reconciler'],
  ['chat-services'],
  ['roles'],
  ['identities'],
  ['conversations'],
  ['standing'],
  ['tokens', 'health', 'drift'],
];

/** Folders that own resources. What one may import of another is listed below, in `features-show-little`. */
const FEATURES = [
  'chat-services',
  'roles',
  'identities',
  'conversations',
  'standing',
  'tokens',
  'health',
  'drift',
];

/** Programs: what Node is started with. Everything else is reached from one of them. */
const PROGRAMS = ['main', 'migrate', 'drift', 'quickstart', 'sandbox/main'];

const SPEC = '[.]spec[.]ts$';

const anyOf = (names) => `(?:${names.join('|')})`;

const layers = LAYERS.flatMap((row, index) =>
  row.map((folder) => ({
    name: `layer-${folder}`,
    severity: 'error',
    comment: `src/${folder} may import what stands in earlier rows of the import table (ARCHITECTURE.md), nothing else.`,
    from: { path: `^src/${folder}/` },
    to: { path: '^src/', pathNot: `^src/${anyOf([folder, ...LAYERS.slice(0, index).flat()])}/` },
  })),
);

module.exports = {
  forbidden: [
    ...layers,
    {
      name: 'no-circular',
      severity: 'error',
      comment:
        'In a cycle one of the classes is undefined at start. Two types of one folder may name each other: that is gone at run time.',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'features-show-little',
      severity: 'error',
      comment:
        'Of another feature: its module, service, entities, the summary that stands inside other resources, the presets and the names at Twilio. Never its controller, DTOs or statements.',
      from: { path: `^src/(${anyOf(FEATURES)})/` },
      to: {
        path: `^src/${anyOf(FEATURES)}/`,
        pathNot: [
          '^src/$1/',
          '[.](module|service|entity)[.]ts$',
          '-summary[.]dto[.]ts$',
          '^src/chat-services/(presets|twilio-name)[.]ts$',
        ],
      },
    },
    {
      name: 'no-barrel',
      severity: 'error',
      comment: 'An index.ts hides who needs what, and pulls in all of a folder for one name of it.',
      from: { path: '/index[.]ts$' },
      to: {},
    },
    {
      name: 'no-index',
      severity: 'error',
      comment: 'A file is named for what is in it.',
      from: {},
      to: { path: '/index[.]ts$', pathNot: '(^|/)node_modules/' },
    },
    {
      name: 'no-orphan',
      severity: 'error',
      comment: 'Nobody imports it and it imports nobody: it belongs to no program and no test.',
      from: { orphan: true, pathNot: '[.]d[.]ts$' },
      to: {},
    },
    {
      name: 'no-dead-file',
      severity: 'error',
      comment: 'Every file of src is part of a program.',
      from: { path: `^src/${anyOf(PROGRAMS)}[.]ts$` },
      to: { path: '^src/', pathNot: [SPEC, `^src/${anyOf(PROGRAMS)}[.]ts$`], reachable: false },
    },
    {
      name: 'no-program-imported',
      severity: 'error',
      comment: 'A program runs when it is imported.',
      from: {},
      to: { path: `^src/${anyOf(PROGRAMS)}[.]ts$` },
    },
    {
      name: 'quickstart-alone',
      severity: 'error',
      comment: 'The service knows nothing of quickstart.',
      from: { path: '^src/', pathNot: ['^src/quickstart/', '^src/quickstart[.]ts$'] },
      to: { path: '^src/quickstart/' },
    },
    {
      name: 'twilio-in-one-place',
      severity: 'error',
      comment: 'The gateway is the only place that knows the SDK.',
      from: { path: '^src/', pathNot: '^src/twilio/' },
      to: { path: '(^|/)node_modules/twilio/' },
    },
    {
      name: 'undici-in-few-places',
      severity: 'error',
      comment:
        'Calls to Twilio go out through the gateway, those to logins through their own guarded client; the sandbox sends its webhooks with a client of its own.',
      from: { path: '^src/', pathNot: ['^src/twilio/', '^src/tokens/exchange/', '^src/sandbox/webhooks/'] },
      to: { path: '(^|/)node_modules/undici/' },
    },
    {
      name: 'typeorm-below-http',
      severity: 'error',
      comment: 'A controller declares routes and a guard lets in: neither reads the database.',
      from: { path: '[.](controller|guard)[.]ts$' },
      to: { path: '(^|/)node_modules/(typeorm|pg)/' },
    },
    {
      name: 'sandbox-is-an-island',
      severity: 'error',
      comment: 'An emulator built of the service would agree with its mistakes.',
      from: { path: '^src/sandbox/' },
      to: { path: '^(src|migrations|test|bench)/', pathNot: '^src/sandbox/' },
    },
    {
      name: 'sandbox-has-few-packages',
      severity: 'error',
      comment: 'Fastify serves it and undici sends its webhooks; everything else comes with Node.',
      from: { path: '^src/sandbox/' },
      to: { path: '(^|/)node_modules/', pathNot: '(^|/)node_modules/(fastify|undici)/' },
    },
    {
      name: 'nobody-needs-the-sandbox',
      severity: 'error',
      comment: 'The service meets the sandbox over HTTP, as it meets Twilio. Quickstart starts both.',
      from: { path: '^(src|migrations)/', pathNot: ['^src/sandbox/', '^src/quickstart[.]ts$'] },
      to: { path: '^src/sandbox/' },
    },
    {
      name: 'tests-stay-outside',
      severity: 'error',
      comment: 'What ships imports neither tests nor benchmarks.',
      from: { path: '^(src|migrations)/', pathNot: SPEC },
      to: { path: `^(test|bench)/|${SPEC}` },
    },
    {
      name: 'no-development-package',
      severity: 'error',
      comment: 'The image has no devDependencies.',
      from: { path: '^(src|migrations)/', pathNot: SPEC },
      to: { dependencyTypes: ['npm-dev'], pathNot: '(^|/)node_modules/@types/' },
    },
    {
      name: 'no-undeclared-package',
      severity: 'error',
      comment: 'A package that package.json does not name is there by chance.',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'no-unresolved',
      severity: 'error',
      comment: 'The import leads nowhere.',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // Imports of types count: a type that leaks over a border is a leak.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types', 'default'],
      mainFields: ['module', 'main', 'types'],
    },
  },
};
