import type { UpdateIdentityDto } from './identity.dto.js';
import type { IdentityEntity } from './identity.entity.js';

type Changeable = Pick<IdentityEntity, 'displayName' | 'attributes'>;

/**
 * What the body makes of an identity: a key left out stays, `null` clears. Null when it says nothing new: `updatedAt`,
 * and with it the ETag, stays as it is then.
 */
export function changeOf(identity: Changeable, body: UpdateIdentityDto): Changeable | null {
  const displayName = body.displayName === undefined ? identity.displayName : body.displayName;
  const attributes = body.attributes === undefined ? identity.attributes : (body.attributes ?? {});
  const unchanged =
    displayName === identity.displayName &&
    JSON.stringify(attributes) === JSON.stringify(identity.attributes);
  return unchanged ? null : { displayName, attributes };
}
