import { Injectable } from '@nestjs/common';
import { DataSource, IsNull, LessThan } from 'typeorm';
import { generateApiKey, hashSecret, parseApiKey, secretMatches } from '../../access/api-key.js';
import { ApiKeyEntity } from '../../access/api-key.entity.js';
import type { Caller } from '../../access/caller.js';
import { KnownKeys } from '../../access/known-keys.js';
import { holdsScope, type Scope } from '../../access/scopes.js';
import { newId } from '../../common/new-id.js';
import { AppConfig } from '../../config/app-config.js';
import { AppError } from '../../common/errors/app-error.js';
import type { Command } from '../../common/http/command.js';
import { cursorId, toPage, type Page } from '../../common/http/page.js';
import type { Reply } from '../../common/http/reply.js';
import { isUuid } from '../../common/validation/text.js';
import type { Queryable } from '../../database/database.js';
import { Commands } from '../../reconciler/commands.js';
import { ChatServiceEntity } from '../chat-service.entity.js';
import { ApiKeyResponse, type CreateApiKeyDto, type ListApiKeysQuery } from './api-key.dto.js';

const INSERT = `
  insert into api_keys (id, key_id, service_id, name, scopes, secret_hash, expires_at, rate_limit, created_at)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
  on conflict (key_id) do nothing returning id`;

@Injectable()
export class ApiKeysService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly commands: Commands,
    private readonly known: KnownKeys,
    private readonly config: AppConfig,
  ) {}

  async create(command: Command, caller: Caller, body: CreateApiKeyDto): Promise<Reply> {
    const serviceId = await this.serviceOf(caller, body.serviceId);
    const lacking = body.scopes.filter((scope) => !holdsScope(caller.scopes, scope));
    if (lacking.length > 0) {
      throw new AppError('missing_scope', { detail: `Nobody grants what he lacks: ${lacking.join(', ')}.` });
    }
    this.checkRateLimit(caller, body.rateLimit);
    const expiresAt = body.expiresAt === undefined ? null : new Date(body.expiresAt);
    const key = generateApiKey();
    const entity = newEntity(serviceId, { ...body, rateLimit: body.rateLimit ?? null, expiresAt, ...key });
    return this.commands.record(command, {
      serviceId: caller.serviceId,
      kind: 'create_api_key',
      work: async (tx) => {
        // Only here, where a repeated call does not come: it is answered although the time is over since.
        if (expiresAt && expiresAt.getTime() <= Date.now()) {
          throw AppError.invalid('expiresAt', 'must be in the future');
        }
        await insert(tx, entity);
        const once = ApiKeyResponse.from(entity, key.text);
        return {
          status: 201,
          body: ApiKeyResponse.from(entity),
          location: `/v1/api-keys/${entity.id}`,
          once,
        };
      },
    });
  }

  async list(caller: Caller, query: ListApiKeysQuery): Promise<Page<ApiKeyEntity>> {
    const serviceId = await this.serviceOf(caller, query.serviceId);
    const after = cursorId(query);
    const rows = await this.dataSource.getRepository(ApiKeyEntity).find({
      where: { serviceId, revokedAt: IsNull(), ...(after !== null && { id: LessThan(after) }) },
      order: { id: 'DESC' },
      take: query.limit + 1,
    });
    return toPage(rows, query.limit);
  }

  /**
   * Ends a key: here at once, in other replicas within half a second. Never refused for what would be left, for a key
   * that got out must be ended whatever it is: the caller's own, or the last admin. An operator makes new ones, and the
   * environment a new operator.
   */
  async revoke(caller: Caller, id: string): Promise<void> {
    const operator = holdsScope(caller.scopes, 'operator');
    const keys = this.dataSource.getRepository(ApiKeyEntity);
    const own = operator ? {} : { serviceId: caller.serviceId };
    const key = isUuid(id) ? await keys.findOneBy({ id, revokedAt: IsNull(), ...own }) : null;
    if (!key) throw new AppError('not_found');
    if (key.scopes.includes('operator') && !operator) {
      throw new AppError('missing_scope', { detail: 'Only an operator revokes the key of an operator.' });
    }
    const { affected } = await keys.update({ id, revokedAt: IsNull() }, { revokedAt: new Date() });
    this.known.forget(key.keyId);
    if (affected === 0) throw new AppError('not_found');
  }

  /**
   * Makes the bootstrap key known, as operator and admin of the default chat service. Once revoked it stays revoked.
   * Throws when its id belongs to a key with another secret: one of the two is not what its holder thinks.
   */
  async ensureBootstrapKey(text: string, serviceId: string): Promise<void> {
    const key = parseApiKey(text);
    if (!key) throw new Error('BOOTSTRAP_API_KEY has not the form of a key.');
    const entity = newEntity(serviceId, {
      name: 'bootstrap',
      scopes: ['operator', 'admin'],
      expiresAt: null,
      rateLimit: null,
      ...key,
    });
    await this.dataSource.query(INSERT, insertValues(entity));
    const known = await this.dataSource.getRepository(ApiKeyEntity).findOneByOrFail({ keyId: key.keyId });
    if (!secretMatches(key.secret, known.secretHash)) {
      throw new Error(`BOOTSTRAP_API_KEY: the key id ${key.keyId} is known with another secret.`);
    }
  }

  private checkRateLimit(caller: Caller, wanted = 0): void {
    const { rateLimitPerMinute } = this.config.access;
    const more = rateLimitPerMinute > 0 && wanted > rateLimitPerMinute;
    if (more && !holdsScope(caller.scopes, 'operator')) {
      throw new AppError('missing_scope', {
        detail: `Only an operator gives more than ${rateLimitPerMinute} requests a minute.`,
      });
    }
  }

  private async serviceOf(caller: Caller, wanted = caller.serviceId): Promise<string> {
    const serviceId = wanted.toLowerCase();
    const own = serviceId === caller.serviceId;
    if (own) {
      if (!holdsScope(caller.scopes, 'admin'))
        throw new AppError('missing_scope', { detail: 'admin is needed.' });
      return serviceId;
    }
    const known =
      holdsScope(caller.scopes, 'operator') &&
      (await this.dataSource.getRepository(ChatServiceEntity).existsBy({ id: serviceId }));
    if (!known) throw new AppError('not_found', { detail: 'There is no such chat service.' });
    return serviceId;
  }
}

interface NewKey {
  name: string;
  scopes: Scope[];
  expiresAt: Date | null;
  rateLimit: number | null;
  keyId: string;
  secret: string;
}

function newEntity(
  serviceId: string,
  { name, scopes, expiresAt, rateLimit, keyId, secret }: NewKey,
): ApiKeyEntity {
  return Object.assign(new ApiKeyEntity(), {
    id: newId(),
    keyId,
    serviceId,
    name,
    scopes,
    secretHash: hashSecret(secret),
    expiresAt,
    rateLimit,
    lastUsedAt: null,
    revokedAt: null,
    createdAt: new Date(),
  });
}

function insertValues(key: ApiKeyEntity): unknown[] {
  return [
    key.id,
    key.keyId,
    key.serviceId,
    key.name,
    key.scopes,
    key.secretHash,
    key.expiresAt,
    key.rateLimit,
    key.createdAt,
  ];
}

async function insert(tx: Queryable, key: ApiKeyEntity): Promise<void> {
  await tx.query('api-keys.insert', INSERT, insertValues(key));
}
