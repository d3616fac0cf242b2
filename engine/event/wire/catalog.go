package wire

import (
	"time"

	"flametree/engine/event"
	"flametree/engine/event/wire/pb"
)

// catalogBody maps the life of a tenant's catalogues.
func catalogBody(e event.Event, _ *sealing) message {
	switch e := e.(type) {
	case event.CatalogCreated:
		return &pb.CatalogCreated{Name: e.Name, Description: e.Description, Currency: e.Currency, Language: e.Language}
	case event.CatalogChanged:
		return &pb.CatalogChanged{Name: e.Name, Description: e.Description, Currency: e.Currency, Language: e.Language}
	case event.ProductsPut:
		return &pb.ProductsPut{Products: products(e.Products), By: e.By}
	case event.ProductsRemoved:
		return &pb.ProductsRemoved{Skus: e.SKUs, By: e.By}
	case event.CatalogConnected:
		return &pb.CatalogConnected{Agent: e.Agent}
	case event.CatalogDisconnected:
		return &pb.CatalogDisconnected{Agent: e.Agent}
	case event.CatalogInvited:
		return &pb.CatalogInvited{Invitation: e.Invitation, TokenHash: e.TokenHash, LifeNs: int64(e.Life)}
	case event.InvitationsReset:
		return &pb.InvitationsReset{}
	case event.CatalogRemoved:
		return &pb.CatalogRemoved{}
	default: // of another file
	}
	return nil
}

func catalogEvent(k event.Kind, b []byte, _ *opening) (event.Event, error) {
	switch k {
	case event.CatalogCreated{}.Kind():
		return read(b, func(m *pb.CatalogCreated) event.Event {
			return event.CatalogCreated{Name: m.Name, Description: m.Description, Currency: m.Currency, Language: m.Language}
		})
	case event.CatalogChanged{}.Kind():
		return read(b, func(m *pb.CatalogChanged) event.Event {
			return event.CatalogChanged{Name: m.Name, Description: m.Description, Currency: m.Currency, Language: m.Language}
		})
	case event.ProductsPut{}.Kind():
		return read(b, func(m *pb.ProductsPut) event.Event {
			return event.ProductsPut{Products: unproduct(m.Products), By: m.By}
		})
	case event.ProductsRemoved{}.Kind():
		return read(b, func(m *pb.ProductsRemoved) event.Event { return event.ProductsRemoved{SKUs: m.Skus, By: m.By} })
	case event.CatalogConnected{}.Kind():
		return read(b, func(m *pb.CatalogConnected) event.Event { return event.CatalogConnected{Agent: m.Agent} })
	case event.CatalogDisconnected{}.Kind():
		return read(b, func(m *pb.CatalogDisconnected) event.Event { return event.CatalogDisconnected{Agent: m.Agent} })
	case event.CatalogInvited{}.Kind():
		return read(b, func(m *pb.CatalogInvited) event.Event {
			return event.CatalogInvited{Invitation: m.Invitation, TokenHash: m.TokenHash, Life: time.Duration(m.LifeNs)}
		})
	case event.InvitationsReset{}.Kind():
		return read(b, func(*pb.InvitationsReset) event.Event { return event.InvitationsReset{} })
	case event.CatalogRemoved{}.Kind():
		return read(b, func(*pb.CatalogRemoved) event.Event { return event.CatalogRemoved{} })
	}
	return nil, nil
}

func products(ps []event.Product) []*pb.Product {
	if len(ps) == 0 {
		return nil
	}
	ms := make([]*pb.Product, len(ps))
	for i, p := range ps {
		ms[i] = &pb.Product{
			Sku: p.SKU, Title: p.Title, Description: p.Description, Category: p.Category, Brand: p.Brand,
			Priced: p.Priced, Price: p.Price, Currency: p.Currency, Availability: p.Availability,
			ImageUrl: p.ImageURL, ProductUrl: p.ProductURL, Attributes: pairs(p.Attributes), Tags: p.Tags, Active: p.Active,
		}
	}
	return ms
}

func unproduct(ms []*pb.Product) []event.Product {
	if len(ms) == 0 {
		return nil
	}
	ps := make([]event.Product, len(ms))
	for i, m := range ms {
		ps[i] = event.Product{
			SKU: m.Sku, Title: m.Title, Description: m.Description, Category: m.Category, Brand: m.Brand,
			Priced: m.Priced, Price: m.Price, Currency: m.Currency, Availability: m.Availability,
			ImageURL: m.ImageUrl, ProductURL: m.ProductUrl, Attributes: unpair(m.Attributes), Tags: m.Tags, Active: m.Active,
		}
	}
	return ps
}
