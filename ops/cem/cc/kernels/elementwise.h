// Elementwise functions on vectors. The errors named here are against float64
// over the whole range and are tested; NaN in is NaN out.

#ifndef LOOKAHEAD_OPS_CEM_CC_KERNELS_ELEMENTWISE_H_
#define LOOKAHEAD_OPS_CEM_CC_KERNELS_ELEMENTWISE_H_

#include "ops/cem/cc/kernels/vectors.h"

namespace lookahead {
namespace cem {
namespace LOOKAHEAD_ISA {

// e^x = scale · (1 + rest), scale a power of two, for |x| ≤ 87. x is split into
// n · log 2 + r, |r| ≤ log(2) / 2; rest = r + r² q(r), where q is fitted to the
// least relative error, 1.4e-8, which rounding exceeds.
struct SplitExp {
  Floats scale, rest;
};

LOOKAHEAD_ALWAYS SplitExp ExpParts(Floats x) {
  const Floats magic = Splat(12582912.0f);  // 1.5 · 2^23: adding it rounds to whole numbers.
  const Floats shifted = Fma(x, Splat(1.44269504f), magic);
  const Floats n = shifted - magic;
#if LOOKAHEAD_FUSED
  const Floats r = Fma(n, Splat(-0.693147182f), x);
#else  // The product is rounded too, so its factor has few digits.
  const Floats r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
#endif
  Floats q = Fma(Splat(1.39464973e-3f), r, Splat(8.36661085e-3f));
  q = Fma(q, r, Splat(4.16662805e-2f));
  q = Fma(q, r, Splat(1.66665435e-1f));
  q = Fma(q, r, Splat(0.5f));
  return {FromBits((Bits(shifted) << 23) + (127 << 23)), Fma(q, r * r, r)};
}

// e^x to 4e-7 relative, for x clamped to ±87.
LOOKAHEAD_ALWAYS Floats Exp(Floats x) {
  const SplitExp parts = ExpParts(AtMost(AtLeast(x, -87.0f), 87.0f));
  return Fma(parts.scale, parts.rest, parts.scale);
}

// e^x − 1 for x ≤ 0, to 2e-7 relative.
LOOKAHEAD_ALWAYS Floats ExpMinusOne(Floats x) {
  const SplitExp parts = ExpParts(AtLeast(x, -87.0f));
  return Fma(parts.scale, parts.rest, parts.scale - 1.0f);
}

// 1 / (1 + e^−x), to 4e-7 relative.
LOOKAHEAD_ALWAYS Floats Sigmoid(Floats x) { return 1.0f / (1.0f + Exp(-x)); }

// tanh x, to 3e-7 relative.
LOOKAHEAD_ALWAYS Floats Tanh(Floats x) {
  const Ints sign = Bits(x) & INT32_MIN;
  const Floats e = ExpMinusOne(-2.0f * FromBits(Bits(x) & INT32_MAX));
  return FromBits(Bits(-e / (e + 2.0f)) | sign);
}

// log x for normal x > 0, to 2e-7 relative (absolute near 1). Cephes' polynomial.
LOOKAHEAD_ALWAYS Floats Log(Floats x) {
  const Ints over = (Bits(x) - 0x3f3504f3) >> 23;  // exponent, for a mantissa in [√½, √2)
  const Floats m = FromBits(Bits(x) - (over << 23)) - 1.0f;
  const Floats e = __builtin_convertvector(over, Floats);
  Floats p = Fma(Splat(7.0376836292e-2f), m, Splat(-1.1514610310e-1f));
  p = Fma(p, m, Splat(1.1676998740e-1f));
  p = Fma(p, m, Splat(-1.2420140846e-1f));
  p = Fma(p, m, Splat(1.4249322787e-1f));
  p = Fma(p, m, Splat(-1.6668057665e-1f));
  p = Fma(p, m, Splat(2.0000714765e-1f));
  p = Fma(p, m, Splat(-2.4999993993e-1f));
  p = Fma(p, m, Splat(3.3333331174e-1f));
  const Floats square = m * m;
  p = Fma(e, Splat(-2.12194440e-4f), p * m * square);
  return Fma(e, Splat(0.693359375f), m + Fma(square, Splat(-0.5f), p));
}

// log(1 + e^x), to 4e-7 relative: the part of 1 + u that rounding drops is put back.
LOOKAHEAD_ALWAYS Floats Softplus(Floats x) {
  const Floats u = Exp(-FromBits(Bits(x) & INT32_MAX));
  const Floats y = u + 1.0f;
  const Floats log1p = Log(y) + (u - (y - 1.0f)) / y;
  return AtLeast(x, 0.0f) + log1p;
}

// sin and cos of 2π · u, u in [0, 1), where the angle is first rounded to a
// float as TensorFlow's draws do; to 2e-7 absolute of those. Cephes' polynomials.
LOOKAHEAD_ALWAYS void SinCosOfTurn(Floats u, Floats* sine, Floats* cosine) {
  const Floats magic = Splat(12582912.0f);
  const Floats product = u * 6.28318548f;
  const Floats dropped = Fma(u, Splat(6.28318548f), -product);
  const Floats angle = product + Fma(u, Splat(-1.74845553e-7f), dropped);
  const Floats shifted = Fma(angle, Splat(0.636619747f), magic);
  const Floats n = shifted - magic;
  Floats r = Fma(n, Splat(-1.5703125f), angle);
  r = Fma(n, Splat(-4.8375129699707e-4f), r);
  r = Fma(n, Splat(-7.5497899548919e-8f), r);
  const Floats z = r * r;
  Floats s = Fma(Splat(-1.9515295891e-4f), z, Splat(8.3321608736e-3f));
  s = Fma(s, z, Splat(-1.6666654611e-1f));
  s = Fma(s * z, r, r);
  Floats c = Fma(Splat(2.443315711809948e-5f), z, Splat(-1.388731625493765e-3f));
  c = Fma(c, z, Splat(4.166664568298827e-2f));
  c = Fma(c * z, z, Fma(z, Splat(-0.5f), Splat(1.0f)));
  const Ints quarter = Bits(shifted);
  const Ints swap = (quarter & 1) != 0;
  const Ints sine_sign = (quarter & 2) << 30, cosine_sign = ((quarter + 1) & 2) << 30;
  *sine = FromBits(Bits(Where(swap, c, s)) ^ sine_sign);
  *cosine = FromBits(Bits(Where(swap, s, c)) ^ cosine_sign);
}

}  // namespace LOOKAHEAD_ISA
}  // namespace cem
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_CEM_CC_KERNELS_ELEMENTWISE_H_
