/* A peer on libsrtp2: reads packets, each after its length in two bytes, seals
 * or opens them, and writes the results in the same form, length 0 for what it
 * refuses. A length of 0xffff changes to the second key.
 *
 *   peer seal|open rtp|rtcp SUITE KEY-HEX KEY-HEX
 */
#include <srtp2/srtp.h>
#include <stdio.h>
#include <string.h>

static int profile(const char *name, srtp_policy_t *p) {
	if (!strcmp(name, "AES_CM_128_HMAC_SHA1_80")) {
		srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&p->rtp);
		srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&p->rtcp);
	} else if (!strcmp(name, "AES_CM_128_HMAC_SHA1_32")) {
		srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(&p->rtp);
		srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&p->rtcp);
	} else if (!strcmp(name, "AES_256_CM_HMAC_SHA1_80")) {
		srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&p->rtp);
		srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&p->rtcp);
	} else if (!strcmp(name, "AEAD_AES_128_GCM")) {
		srtp_crypto_policy_set_aes_gcm_128_16_auth(&p->rtp);
		srtp_crypto_policy_set_aes_gcm_128_16_auth(&p->rtcp);
	} else if (!strcmp(name, "AEAD_AES_256_GCM")) {
		srtp_crypto_policy_set_aes_gcm_256_16_auth(&p->rtp);
		srtp_crypto_policy_set_aes_gcm_256_16_auth(&p->rtcp);
	} else
		return -1;
	return 0;
}

static int unhex(const char *s, unsigned char *out) {
	for (; *s; s += 2)
		if (sscanf(s, "%2hhx", out++) != 1) return -1;
	return 0;
}

int main(int argc, char **argv) {
	static unsigned char key[2][64], buf[4096];
	srtp_policy_t p;
	srtp_t s;
	int n, a, b, control, opens;
	if (argc != 6 || srtp_init()) return 2;
	memset(&p, 0, sizeof p);
	opens = !strcmp(argv[1], "open");
	control = !strcmp(argv[2], "rtcp");
	if (profile(argv[3], &p) || unhex(argv[4], key[0]) || unhex(argv[5], key[1])) return 2;
	p.ssrc.type = opens ? ssrc_any_inbound : ssrc_any_outbound;
	p.key = key[0];
	p.window_size = 256;
	if (srtp_create(&s, &p)) return 3;
	while ((a = getchar()) != EOF && (b = getchar()) != EOF) {
		n = a << 8 | b;
		if (n == 0xffff) {
			p.key = key[1];
			if (srtp_update(s, &p)) return 4;
			continue;
		}
		if (n > 2000 || fread(buf, 1, n, stdin) != (size_t)n) return 5;
		srtp_err_status_t st = opens ? (control ? srtp_unprotect_rtcp(s, buf, &n) : srtp_unprotect(s, buf, &n))
		                             : (control ? srtp_protect_rtcp(s, buf, &n) : srtp_protect(s, buf, &n));
		if (st) n = 0;
		putchar(n >> 8);
		putchar(n & 255);
		fwrite(buf, 1, n, stdout);
	}
	return 0;
}
