package speechtest

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"flametree/engine/provider/sockettest"
)

// Google is a server of recognizers.recognize (v2) and text.synthesize (v1 and
// v1beta1).
func Google() *Server {
	s := newServer()
	s.Mux.HandleFunc("POST /v2/projects/{project}/locations/{location}/recognizers/{verb}", s.googleHear)
	s.Mux.HandleFunc("POST /v1/{verb}", s.googleSpeak)
	s.Mux.HandleFunc("POST /v1beta1/{verb}", s.googleSpeak)
	return s
}

type googleAsk struct {
	Config struct {
		Decoding struct {
			Encoding string `json:"encoding"`
			Rate     int    `json:"sampleRateHertz"`
			Channels int    `json:"audioChannelCount"`
		} `json:"explicitDecodingConfig"`
		Model     string   `json:"model"`
		Languages []string `json:"languageCodes"`
		Features  struct {
			Times bool `json:"enableWordTimeOffsets"`
		} `json:"features"`
		Adaptation *struct {
			Sets []struct {
				Inline struct {
					Phrases []struct {
						Value string  `json:"value"`
						Boost float64 `json:"boost"`
					} `json:"phrases"`
				} `json:"inlinePhraseSet"`
			} `json:"phraseSets"`
		} `json:"adaptation"`
	} `json:"config"`
	Content []byte `json:"content"`
}

func (s *Server) googleHear(w http.ResponseWriter, r *http.Request) {
	t, ok := s.Enter(w, r, "Authorization", "Bearer "+Key, nil)
	if !ok {
		return
	}
	var ask googleAsk
	body, _ := io.ReadAll(r.Body)
	err := sockettest.Strict(body, &ask)
	d := ask.Config.Decoding
	if err != nil || r.PathValue("verb") != "_:recognize" || d.Encoding != "LINEAR16" || d.Rate != 16000 || d.Channels != 1 ||
		ask.Config.Model == "" || len(ask.Config.Languages) == 0 || len(ask.Content)%2 != 0 || len(ask.Content) > 60*32000 {
		http.Error(w, s.Refuse("recognize %s: %v, %+v", r.URL.Path, err, ask.Config), http.StatusBadRequest)
		return
	}
	l := s.listener(16000)
	l.Hear(samples(ask.Content))
	var timed []obj
	words := l.words(0, true)
	for _, x := range words {
		o := obj{"word": x.text, "endOffset": fmt.Sprintf("%.3fs", l.seconds(x.end))}
		if x.start > 0 { // zero is left out
			o["startOffset"] = fmt.Sprintf("%.3fs", l.seconds(x.start))
		}
		timed = append(timed, o)
	}
	out := obj{"metadata": obj{"totalBilledDuration": "1s"}}
	if n := len(words); n > 0 { // it may give an utterance in parts
		part := func(from, to int) obj {
			return obj{"alternatives": []obj{{"transcript": joined(words[from:to]), "words": timed[from:to]}}, "languageCode": "en-us"}
		}
		out["results"] = []obj{part(0, n/2), part(n/2, n)}
	}
	time.Sleep(s.FinalAfter)
	s.answer(w, r, t, out)
}

var googleMark = regexp.MustCompile(`<mark name="(\d+)"/>`)

func (s *Server) googleSpeak(w http.ResponseWriter, r *http.Request) {
	t, ok := s.Enter(w, r, "Authorization", "Bearer "+Key, nil)
	if !ok {
		return
	}
	var ask struct {
		Input struct {
			Text string `json:"text"`
			SSML string `json:"ssml"`
		} `json:"input"`
		Voice struct {
			Language string `json:"languageCode"`
			Name     string `json:"name"`
		} `json:"voice"`
		Audio struct {
			Encoding string  `json:"audioEncoding"`
			Rate     int     `json:"sampleRateHertz"`
			Speed    float64 `json:"speakingRate"`
		} `json:"audioConfig"`
		Times []string `json:"enableTimePointing"`
	}
	body, _ := io.ReadAll(r.Body)
	err := sockettest.Strict(body, &ask)
	beta := strings.HasPrefix(r.URL.Path, "/v1beta1/")
	var root struct {
		XMLName xml.Name `xml:"speak"`
	}
	chirp := strings.Contains(ask.Voice.Name, "Chirp")
	if err != nil || r.PathValue("verb") != "text:synthesize" || (ask.Input.Text == "") == (ask.Input.SSML == "") || ask.Voice.Language == "" ||
		ask.Audio.Encoding != "LINEAR16" || ask.Audio.Rate != 24000 || !beta && ask.Times != nil || chirp && ask.Input.SSML != "" ||
		ask.Input.SSML != "" && xml.Unmarshal([]byte(ask.Input.SSML), &root) != nil {
		http.Error(w, s.Refuse("synthesize %s: %v", body, err), http.StatusBadRequest)
		return
	}
	text, times := ask.Input.Text, []obj(nil)
	if ask.Input.SSML != "" {
		text, times = googleTimes(ask.Input.SSML)
	}
	s.Note(func() { s.said = append(s.said, text) })
	rate := 24000
	if t.Kind == WrongRate {
		rate = 16000
	}
	out := obj{"audioContent": []byte(nil)}
	if t.Kind != Mute {
		pcm := bytesOf(s.rendered(text, rate))
		out["audioContent"], out["timepoints"] = wavOf(rate, pcm), times
	}
	time.Sleep(s.SoundAfter)
	s.answer(w, r, t, out)
}

// googleTimes says where in the sound the marks are.
func googleTimes(ssml string) (text string, times []obj) {
	inner := strings.TrimSuffix(strings.TrimPrefix(ssml, "<speak>"), "</speak>")
	text = strings.TrimSpace(googleMark.ReplaceAllString(inner, ""))
	at := 0
	for _, part := range googleMark.FindAllStringSubmatchIndex(inner, -1) {
		name := inner[part[2]:part[3]]
		at = len(googleMark.ReplaceAllString(inner[:part[0]], ""))
		seconds, _ := strconv.ParseFloat(fmt.Sprintf("%.3f", float64(min(at, len(text)))*Voiced.Seconds()), 64)
		times = append(times, obj{"markName": name, "timeSeconds": seconds})
	}
	return text, times
}
