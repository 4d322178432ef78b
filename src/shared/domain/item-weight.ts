import type { MessageItem } from './message.js';

/** What an item weighs besides its texts. */
const OVERHEAD_CHARS = 200;

/** Characters of a message on its way, about bytes. */
function itemWeight({ title, content, url, data }: Omit<MessageItem, 'id' | 'kind' | 'createdAt'>): number {
  return OVERHEAD_CHARS + title.length + content.length + (url?.length ?? 0) + (data?.length ?? 0);
}

export function itemsWeight(items: readonly MessageItem[]): number {
  return items.reduce((sum, item) => sum + itemWeight(item), 0);
}
