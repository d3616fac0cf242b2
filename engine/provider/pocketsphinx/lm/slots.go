package lm

import (
	"strings"

	"flametree/engine/spoken"
)

const (
	firstNames = `james john robert michael william david richard joseph thomas charles christopher daniel matthew anthony mark
donald steven paul andrew joshua kenneth kevin brian george timothy ronald edward jason jeffrey ryan jacob gary nicholas eric
jonathan stephen larry justin scott brandon benjamin samuel gregory alexander patrick frank raymond jack dennis jerry tyler
aaron jose adam nathan henry peter zachary kyle walter ethan jeremy harold keith christian roger noah gerald terry sean austin
carl arthur lawrence dylan jesse jordan bryan billy joe bruce gabriel logan albert willie alan juan wayne elijah randy roy
vincent ralph eugene russell bobby mason philip louis martin oliver simon ivan oscar victor lucas leo max felix hugo marcus
mary patricia jennifer linda elizabeth barbara susan jessica sarah karen lisa nancy betty sandra margaret ashley kimberly emily
donna michelle carol amanda melissa deborah stephanie rebecca laura sharon cynthia kathleen amy angela shirley anna brenda
pamela emma nicole helen samantha katherine christine debra rachel carolyn janet catherine maria heather diane ruth julie
olivia joyce virginia victoria kelly lauren christina joan evelyn judith megan andrea cheryl hannah jacqueline martha gloria
teresa ann sara madison frances kathryn janice jean abigail alice judy sophia grace denise amber doris marilyn danielle
beverly isabella theresa diana natalie brittany charlotte marie kayla alexis lori julia clara lucy eva nina irene tom mike
dave bob jim bill steve chris matt dan ben sam alex nick tony kate jane sue beth liz`

	lastNames = `smith johnson williams brown jones garcia miller davis rodriguez martinez hernandez lopez gonzalez wilson
anderson thomas taylor moore jackson martin lee perez thompson white harris sanchez clark ramirez lewis robinson walker young
allen king wright scott torres nguyen hill flores green adams nelson baker hall rivera campbell mitchell carter roberts gomez
phillips evans turner diaz parker cruz edwards collins reyes stewart morris morales murphy cook rogers gutierrez ortiz morgan
cooper peterson bailey reed kelly howard ramos kim cox ward richardson watson brooks chavez wood james bennett gray mendoza
ruiz hughes price alvarez castillo sanders patel myers long ross foster jimenez powell jenkins perry russell sullivan bell
coleman butler henderson barnes fisher vasquez simmons graham murray ford hamilton wallace woods cole west owens reynolds
gibson mcdonald ellis cruz marshall olson tran wells webb simpson stevens tucker porter hunter hicks crawford henry boyd mason
kennedy warren dixon burns gordon shaw holmes rice robertson hunt black daniels palmer mills nichols grant knight ferguson
stone hawkins dunn perkins hudson spencer gardner stephens payne pierce berry matthews arnold wagner willis ray watkins
schmidt weber fischer meyer becker hoffman klein wolf schneider keller murray novak petrov ivanov singh khan ali chen wang li`

	mailHosts = `example gmail yahoo hotmail outlook mail icloud company proton web live`
	mailTops  = `com com com net org co`
	letterRow = `a b c d e f g h i j k l m n o p q r s t u v w x y z`
	weekdays  = `monday tuesday wednesday thursday friday saturday sunday`
	monthRow  = `january february march april may june july august september october november december`
	digitRow  = `zero one two three four five six seven eight nine`
)

// A draw picks from lists in a fixed order, so that the same hints give the
// same model. It is a linear congruence (Knuth's MMIX), not a source of chance.
type draw uint64

func (d *draw) next(n int) int {
	*d = *d*6364136223846793005 + 1442695040888963407
	return int(uint64(*d) >> 33 % uint64(n))
}

func (d *draw) from(list []string) string { return list[d.next(len(list))] }

// numberTalk is digits, amounts and quantities.
func numberTalk() []string {
	var d draw = 1
	var out []string
	digits := strings.Fields(digitRow + " oh " + digitRow)
	leads := lines("\nit's\nit is\nmy number is\nthe number is\nmy card number is\nmy phone number is\nmy account number is\nmy order number is\nthe code is\nmy pin is\nending in\nit ends in\nthe last four digits are\nnumber\norder number\nticket number\nyes it's\nextension\nroom\nplus one\narea code")
	for range 700 {
		w := []string{d.from(append(leads, "", "", "", ""))}
		for range 3 + d.next(8) {
			w = append(w, d.from(digits))
		}
		out = append(out, strings.Join(w, " "))
	}
	for _, a := range [...]string{"double", "triple"} {
		for b := range strings.FieldsSeq(digitRow) {
			out = append(out, a+" "+b, b+" "+a+" "+b)
		}
	}
	units := []string{"dollars", "dollars", "euros", "percent", "people", "tickets", "days", "times", "minutes", "hours", "years", "months", "weeks", "cents", "pounds", "", ""}
	before := []string{"", "", "i want", "i need", "about", "only", "for", "more than", "less than", "at least", "up to", "over", "it's", "it was", "i paid", "around", "the", "every", "another", "in", "take out", "withdraw", "spend", "after", "within"}
	for n := uint64(1); n <= 100; n++ {
		for range 3 {
			out = append(out, d.from(before)+" "+sayNumber(n)+" "+d.from(units))
		}
	}
	for n := uint64(1); n <= 9; n++ {
		for _, m := range [...]uint64{100, 1000, 10000, 100000, 1000000} {
			for range 2 {
				out = append(out, d.from(before)+" "+sayNumber(n*m)+" "+d.from(units), d.from(before)+" "+sayNumber(n*m+uint64(d.next(90))*m/100)+" "+d.from(units))
			}
		}
	}
	return append(out, "a hundred dollars", "a thousand dollars", "a million", "a couple of days", "half an hour", "one and a half", "a dozen", "a hundred and fifty", "five hundred and twenty", "two point five", "one point nine percent", "zero point five")
}

func sayNumber(n uint64) string { return spoken.Words(decimalDigits(n), "en") }

func decimalDigits(n uint64) string {
	b := []byte{}
	for ; n > 0; n /= 10 {
		b = append([]byte{byte('0' + n%10)}, b...)
	}
	return string(b)
}

// dateTalk is days, months, years and times of day.
func dateTalk() []string {
	var d draw = 2
	var out []string
	months, days := strings.Fields(monthRow), strings.Fields(weekdays)
	before := []string{"", "", "on", "on", "from", "until", "by", "since", "it's", "i was born on", "my birthday is", "the date is", "for", "before", "after"}
	for _, m := range months {
		for n := 1; n <= 31; n++ {
			day := spoken.Words(decimalDigits(uint64(n))+suffix(n), "en")
			out = append(out, d.from(before)+" "+m+" "+day, d.from(before)+" the "+day+" of "+m)
			if d.next(3) == 0 {
				out = append(out, m+" "+day+" "+yearTalk(&d))
			}
		}
		out = append(out, "in "+m, "next "+m, "last "+m, "in "+m+" "+yearTalk(&d), "the end of "+m, "the beginning of "+m)
	}
	for _, w := range days {
		for _, f := range [...]string{"on ", "next ", "this ", "last ", "", "until ", "by ", "every ", "from monday to ", "open on ", "not on "} {
			out = append(out, f+w, f+w+" "+d.from([]string{"morning", "afternoon", "evening", "night", "at noon"}))
		}
	}
	for h := uint64(1); h <= 12; h++ {
		hour := sayNumber(h)
		for _, tail := range [...]string{"o'clock", "p m", "a m", "in the morning", "in the afternoon", "in the evening", "thirty", "fifteen", "forty five", "thirty p m", "thirty a m", "tomorrow", "today", ""} {
			out = append(out, "at "+hour+" "+tail, hour+" "+tail, d.from(days)+" at "+hour+" "+tail)
		}
		out = append(out, "half past "+hour, "quarter past "+hour, "quarter to "+hour, "around "+hour, "after "+hour, "before "+hour, "between "+hour+" and "+sayNumber(h%12+1))
	}
	return out
}

func yearTalk(d *draw) string {
	switch d.next(3) {
	case 0:
		return spoken.Words("in "+decimalDigits(uint64(1950+d.next(50))), "en")[3:]
	case 1:
		return spoken.Words("in "+decimalDigits(uint64(2000+d.next(10))), "en")[3:]
	}
	return spoken.Words("in "+decimalDigits(uint64(2020+d.next(12))), "en")[3:]
}

func suffix(n int) string {
	switch {
	case n%10 == 1 && n != 11:
		return "st"
	case n%10 == 2 && n != 12:
		return "nd"
	case n%10 == 3 && n != 13:
		return "rd"
	}
	return "th"
}

// nameTalk is people, and spelling them out.
func nameTalk() []string {
	var d draw = 3
	var out []string
	first, last := strings.Fields(firstNames), strings.Fields(lastNames)
	letters := strings.Fields(letterRow)
	before := []string{"my name is", "my name is", "my name's", "i'm", "i am", "this is", "it's", "it is", "the name is", "yes my name is", "", "for", "under the name", "speaking with", "hello this is", "hi i'm", "hi my name is", "my full name is"}
	for i := range 3 * len(first) {
		out = append(out, d.from(before)+" "+first[i%len(first)]+" "+d.from(last))
	}
	for i := range 2 * len(last) {
		out = append(out, d.from(before)+" "+d.from(first)+" "+last[i%len(last)])
	}
	for i := range first {
		out = append(out, d.from(before)+" "+first[i])
	}
	for i := range last {
		out = append(out, d.from([]string{"my last name is", "my surname is", "mister", "missus", "last name", "doctor", "the last name is"})+" "+last[i])
	}
	for range 300 {
		w := []string{d.from([]string{"", "it's spelled", "that's", "spelled", "i spell it", "with a"})}
		for range 3 + d.next(5) {
			w = append(w, d.from(letters))
		}
		out = append(out, strings.Join(w, " "))
	}
	for _, l := range letters {
		out = append(out, l+" as in", "double "+l, l+" like")
	}
	return out
}

// mailTalk is addresses on the internet.
func mailTalk() []string {
	var d draw = 4
	var out []string
	first, last := strings.Fields(firstNames), strings.Fields(lastNames)
	hosts, tops := strings.Fields(mailHosts), strings.Fields(mailTops)
	letters, digits := strings.Fields(letterRow), strings.Fields(digitRow)
	before := []string{"my email is", "my email address is", "it's", "it is", "", "", "send it to", "the email is", "yes it's", "you can write to", "the address is"}
	for range 700 {
		f, l := d.from(first), d.from(last)
		user := d.from([]string{f + " dot " + l, f + " dot " + l, f + " " + l, f, l, f + " underscore " + l, f + " dash " + l, d.from(letters) + " dot " + l, f + " " + d.from(digits) + " " + d.from(digits), f + " dot " + l + " " + d.from(digits), "info", "office"})
		out = append(out, d.from(before)+" "+user+" at "+d.from(hosts)+" dot "+d.from(tops))
	}
	return append(out, "at sign", "capital letter", "all lower case", "all one word", "dot com", "dot net", "dot org", "w w w dot", "minus", "dash", "underscore", "hyphen", "slash")
}
