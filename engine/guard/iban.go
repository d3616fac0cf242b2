package guard

import "strings"

// ibanLengths are the lengths of IBANs by country (SWIFT's registry, release 99).
const ibanLengths = "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BR29BY28CH21CR22CY28CZ24DE22DK18DO28EE20EG29ES24FI18FO18FR27" +
	"GB22GE22GI23GL18GR27GT28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19" +
	"MR27MT31MU30NL18NO15PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SE24SI19SK24SM27ST25SV28TL23TN24TR26UA29VA22VG24XK20"

// ibans finds account numbers: a country, its length, and mod 97 (ISO 13616).
func ibans(text string) []span {
	var out []span
	for i := 0; i+14 < len(text); i++ {
		if !letter(text[i]) || !letter(text[i+1]) || i > 0 && alnum(text[i-1]) || letter(text[i+2]) {
			continue
		}
		if end := iban(text, i); end > 0 {
			out = append(out, span{start: i, end: end, label: labelIBAN})
			i = end
		}
	}
	return out
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// iban is the end of the account number at i, 0 if there is none.
func iban(text string, i int) int {
	size := 0
	for k := 0; k < len(ibanLengths); k += 4 {
		if strings.EqualFold(ibanLengths[k:k+2], text[i:i+2]) {
			size = number(ibanLengths[k+2 : k+4])
		}
	}
	if size == 0 {
		return 0
	}
	code := make([]byte, 0, 34)
	end, gap := i, 0
	for ; end < len(text) && len(code) < size; end++ {
		c := text[end]
		switch {
		case alnum(c):
			code = append(code, upper(c))
			gap = 0
		case c == ' ' || c == '-' || c == 0xc2 || c == 0xa0: // the latter two are a no-break space
			if gap++; gap > 2 {
				return 0
			}
		default:
			return 0
		}
	}
	if len(code) < size || end < len(text) && alnum(text[end]) || mod97(code) != 1 {
		return 0
	}
	return end
}

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

// mod97 is the remainder of the account number, its first four characters moved
// to the end and its letters written as 10 to 35.
func mod97(code []byte) int {
	rest := 0
	for k := range code {
		c := code[(k+4)%len(code)]
		if c >= 'A' {
			rest = (rest*100 + int(c-'A') + 10) % 97
		} else {
			rest = (rest*10 + int(c-'0')) % 97
		}
	}
	return rest
}
