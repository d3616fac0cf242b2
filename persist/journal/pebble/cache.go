package pebble

import "container/list"

// cache keeps the newest so many values. It is not safe for concurrent use.
type cache[K comparable, V any] struct {
	room  int
	byKey map[K]*list.Element
	order *list.List // of *entry, most recently used first
}

type entry[K comparable, V any] struct {
	key   K
	value V
}

func newCache[K comparable, V any](room int) *cache[K, V] {
	return &cache[K, V]{room: room, byKey: map[K]*list.Element{}, order: list.New()}
}

func (c *cache[K, V]) get(key K) (v V, ok bool) {
	e, ok := c.byKey[key]
	if !ok {
		return v, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*entry[K, V]).value, true
}

func (c *cache[K, V]) put(key K, v V) {
	if e, ok := c.byKey[key]; ok {
		e.Value.(*entry[K, V]).value = v
		c.order.MoveToFront(e)
		return
	}
	c.byKey[key] = c.order.PushFront(&entry[K, V]{key: key, value: v})
	if c.order.Len() > c.room {
		oldest := c.order.Back()
		delete(c.byKey, oldest.Value.(*entry[K, V]).key)
		c.order.Remove(oldest)
	}
}

func (c *cache[K, V]) drop(key K) {
	if e, ok := c.byKey[key]; ok {
		delete(c.byKey, key)
		c.order.Remove(e)
	}
}
