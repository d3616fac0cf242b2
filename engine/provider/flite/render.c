#include "render.h"

#include <flite/flite.h>

#include "_cgo_export.h"

cst_voice *register_cmu_us_slt(const char *dir);
cst_voice *register_cmu_us_rms(const char *dir);
cst_voice *register_cmu_us_awb(const char *dir);
cst_voice *register_cmu_us_kal16(const char *dir);

#define VOICES 4

static cst_voice *voices[VOICES];
static const char *names[VOICES] = {"slt", "rms", "awb", "kal16"};

void ft_init(void) {
	flite_init();
	voices[0] = register_cmu_us_slt(NULL);
	voices[1] = register_cmu_us_rms(NULL);
	voices[2] = register_cmu_us_awb(NULL);
	voices[3] = register_cmu_us_kal16(NULL);
}

int ft_voices(void) { return VOICES; }

const char *ft_voice(int n) { return names[n]; }

// The words and their times are known when the first sample is.
static void tell_words(const cst_utterance *u, uintptr_t handle) {
	cst_item *w;
	cst_relation *r = utt_relation((cst_utterance *)u, "Word");
	if (r == NULL) {
		return;
	}
	for (w = relation_head(r); w; w = item_next(w)) {
		float start = ffeature_float(w, "R:SylStructure.daughter1.daughter1.R:Segment.p.end");
		float end = ffeature_float(w, "R:SylStructure.daughtern.daughtern.R:Segment.end");
		flametreeWord(handle, (char *)item_feat_string(w, "name"), start, end);
	}
}

static int chunk(const cst_wave *w, int start, int size, int last, cst_audio_streaming_info *asi) {
	uintptr_t handle = (uintptr_t)asi->userdata;
	if (start == 0 && asi->utt != NULL) {
		tell_words(asi->utt, handle);
	}
	if (flametreeChunk(handle, (int16_t *)w->samples + start, size, w->sample_rate, last) != 0) {
		return CST_AUDIO_STREAM_STOP;
	}
	return CST_AUDIO_STREAM_CONT;
}

int ft_render(int n, const char *text, float stretch, uintptr_t handle) {
	cst_audio_streaming_info *asi;
	cst_utterance *u = new_utterance();
	if (u == NULL) {
		return -1;
	}
	utt_set_input_text(u, text);
	utt_init(u, voices[n]);
	asi = new_audio_streaming_info();
	asi->min_buffsize = 256;
	asi->asc = chunk;
	asi->userdata = (void *)handle;
	feat_set(u->features, "streaming_info", audio_streaming_info_val(asi));
	if (stretch != 1.0f) {
		feat_set_float(u->features, "duration_stretch", stretch);
	}
	asi->utt = u;
	u = utt_synth(u);
	if (u == NULL) {
		return -1;
	}
	delete_utterance(u);
	return 0;
}
