// One utterance rendered by flite, chunk by chunk.
#ifndef FLAMETREE_FLITE_H
#define FLAMETREE_FLITE_H

#include <stdint.h>

// ft_init prepares flite; call it once, before anything else.
void ft_init(void);
// ft_voices is how many voices there are; ft_voice names one.
int ft_voices(void);
const char *ft_voice(int n);
// ft_render speaks text with voice n, stretched in time, and calls
// flametreeChunk and flametreeWord with handle. Returns 0, or -1 when flite fails.
int ft_render(int n, const char *text, float stretch, uintptr_t handle);

#endif
