/**
 * Chat services and roles have no unique name at Twilio. Those that we make end in our id, so that one whose creation
 * was not answered is found again; people see the name without it.
 */
export function twilioName(friendlyName: string, id: string): string {
  return `${friendlyName} cvk_${id}`;
}

const ENDING = / cvk_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function shownName(friendlyName: string): string {
  return friendlyName.replace(ENDING, '');
}
