package pebble

import "container/list"

// cache keeps the newest so many values. It is not safe for concurrent use.
type cache[V any] struct {
	room  int
	byKey map[string]*list.Element
	order *list.List // of entry, most recently used first
}

type entry[V any] struct {
	key   string
	value V
}

func newCache[V any](room int) *cache[V] {
	return &cache[V]{room: room, byKey: map[string]*list.Element{}, order: list.New()}
}

// get takes bytes, because a look-up by string(bytes) costs no allocation.
func (c *cache[V]) get(key []byte) (v V, ok bool) {
	e, ok := c.byKey[string(key)]
	if !ok {
		return v, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*entry[V]).value, true
}

func (c *cache[V]) put(key []byte, v V) {
	if e, ok := c.byKey[string(key)]; ok {
		e.Value.(*entry[V]).value = v
		c.order.MoveToFront(e)
		return
	}
	k := string(key)
	c.byKey[k] = c.order.PushFront(&entry[V]{key: k, value: v})
	if c.order.Len() > c.room {
		oldest := c.order.Back()
		delete(c.byKey, oldest.Value.(*entry[V]).key)
		c.order.Remove(oldest)
	}
}

func (c *cache[V]) drop(key []byte) {
	if e, ok := c.byKey[string(key)]; ok {
		delete(c.byKey, string(key))
		c.order.Remove(e)
	}
}
