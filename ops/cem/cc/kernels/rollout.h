// A tile of candidates from its noise to its returns, for one instruction set.
//
//   a tile's state, feature by feature
//            lane: 0 1 2 …  V · kWidth
//   h   0    [ candidates' h_0     ]
//       …    [ …                   ]
//   s   0    [ candidates' s_0     ]
//   a   0    [ candidates' a_0     ]
//
// A candidate is a lane, so rewards, gates and draws never cross lanes, and the
// order of additions does not depend on the tile. The whole tile stays in the
// second cache through all steps.

#ifndef LOOKAHEAD_OPS_CEM_CC_KERNELS_ROLLOUT_H_
#define LOOKAHEAD_OPS_CEM_CC_KERNELS_ROLLOUT_H_

#include "ops/cem/cc/kernels/layers.h"
#include "ops/cem/cc/kernels/network.h"
#include "ops/cem/cc/kernels/normals.h"

namespace lookahead {
namespace cem {
namespace LOOKAHEAD_ISA {

// Where a tile's rows lie in its scratch; rows are V · kWidth floats.
struct Places {
  int64_t lanes;
  int64_t state_rows, work_rows, gate_rows, pair_rows;
  int64_t draws;

  Places(const PackedModel& model, const Settings& settings, int64_t vectors)
      : lanes(vectors * kWidth),
        state_rows(model.deterministic_size + model.stochastic_size + model.action_size),
        work_rows(model.widest + kFeatures),
        gate_rows(model.deterministic_size + kFeatures),
        pair_rows(LOOKAHEAD_PAIRS ? Greater(state_rows, work_rows) / 2 + 1 : 0),
        draws(lanes * Greater(settings.horizon * model.action_size, model.stochastic_size)) {}

  static int64_t Greater(int64_t a, int64_t b) { return a > b ? a : b; }

  int64_t Total() const {
    const int64_t rows = 2 * state_rows + 2 * work_rows + kGates * gate_rows + pair_rows;
    return rows * lanes + kGates * kFeatures * lanes + draws + lanes;
  }
};

template <int V>
class Tile {
 public:
  using P = Products<V>;
  static constexpr int64_t kLanes = P::kLanes;

  Tile(const Rollout& rollout, int64_t first, float* scratch)
      : r_(rollout), m_(*rollout.model), settings_(*rollout.settings), first_(first) {
    const Places places(m_, settings_, V);
    const int64_t left = settings_.batch * settings_.candidates - first;
    rows_ = left < kLanes ? left : kLanes;
    Take(&scratch, &state_, places.state_rows * kLanes);
    Take(&scratch, &next_, places.state_rows * kLanes);
    Take(&scratch, &work_[0], places.work_rows * kLanes);
    Take(&scratch, &work_[1], places.work_rows * kLanes);
    for (float*& gate : gates_) Take(&scratch, &gate, places.gate_rows * kLanes);
    Take(&scratch, &products_, kGates * kFeatures * kLanes);
    Take(&scratch, &pairs_, places.pair_rows * kLanes);
    Take(&scratch, &returns_, kLanes);
    draws_ = scratch;
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      belief_[lane] = (first_ + (lane < rows_ ? lane : 0)) / settings_.candidates;
    }
  }

  void Run() {
    DrawActions();
    Begin();
    for (int64_t t = 0; t < settings_.horizon; ++t) Step(t);
    __builtin_memcpy(r_.returns + first_, returns_, rows_ * sizeof(float));
  }

 private:
  static void Take(float** scratch, float** place, int64_t count) {
    *place = *scratch;
    *scratch += count;
  }

  float* Row(float* rows, int64_t row) const { return rows + row * kLanes; }

  // The tile's action sequences, clip(mean + stddev · noise).
  void DrawActions() {
    const int64_t size = settings_.horizon * m_.action_size;
    const float* noise = draws_;
    if (r_.noise.actions != nullptr) {
      noise = r_.noise.actions + first_ * size;
    } else {
      DrawNormals(r_.noise.action_stream, first_ * size, rows_ * size, draws_);
    }
    for (int64_t lane = 0; lane < rows_; ++lane) {
      const int64_t b = belief_[lane];
      Propose(noise + lane * size, r_.mean + b * size, r_.stddev + b * size, settings_, size,
              m_.action_size, r_.actions + (first_ + lane) * size);
    }
  }

  // The first state: each lane its belief, with the recurrent products it shares.
  void Begin() {
    const int64_t d = m_.deterministic_size;
    Gather(r_.deterministic, d, d, state_);
    Gather(r_.stochastic, m_.stochastic_size, m_.stochastic_size, Row(state_, d));
    for (int gate = 0; m_.has_gru && gate < kGates; ++gate) {
      Gather(r_.recurrent + gate * d, kGates * d, d, gates_[gate]);
    }
    for (int64_t i = 0; i < kLanes; ++i) returns_[i] = 0.0f;
  }

  // rows [count][lane] = from[belief of lane][…]
  void Gather(const float* from, int64_t stride, int64_t count, float* rows) const {
    if (belief_[0] == belief_[rows_ - 1]) {  // As in most tiles.
      from += belief_[0] * stride;
      for (int64_t i = 0; i < count * kLanes; i += kWidth) Store(rows + i, Splat(from[i / kLanes]));
      return;
    }
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        rows[i * kLanes + lane] = from[belief_[lane] * stride + i];
      }
    }
  }

  void Step(int64_t t) {
    const int64_t d = m_.deterministic_size, s = m_.stochastic_size;
    PlaceActions(t);
    const float* in = P::Inputs(Row(state_, d), s + m_.action_size, pairs_);
    const float* hidden = Stack(m_.input, in, true);
    if (m_.has_gru) {
      if (t > 0) Recurrent();
      Gru(hidden);
      hidden = P::Inputs(next_, d, pairs_);
    }
    Draw(Stack(m_.prior, hidden, false), t, Row(next_, d));
    float* swapped = state_;
    state_ = next_;
    next_ = swapped;
    const float* reward = Stack(m_.reward, P::Inputs(state_, d + s, pairs_), false);
    for (int64_t i = 0; i < kLanes; ++i) returns_[i] += reward[i];
  }

  void PlaceActions(int64_t t) {
    const int64_t size = m_.action_size;
    float* rows = Row(state_, m_.deterministic_size + m_.stochastic_size);
    const float* actions = r_.actions + first_ * settings_.horizon * size + t * size;
    for (int64_t a = 0; a < size; ++a) {
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        rows[a * kLanes + lane] =
            lane < rows_ ? actions[lane * settings_.horizon * size + a] : 0.0f;
      }
    }
  }

  const float* Stack(const PackedLayers& layers, const float* in, bool closed) {
    return P::Stack(layers, m_.activation, in, closed, products_, work_);
  }

  void Recurrent() {
    const float* in = P::Inputs(state_, m_.deterministic_size, pairs_);
    for (int gate = 0; gate < kGates; ++gate) P::Linear(m_.gru_recurrent[gate], in, gates_[gate]);
  }

  // z = σ(x_z + h_z), r = σ(x_r + h_r), c = tanh(x_c + r h_c), h' = c + z (h − c)
  void Gru(const float* hidden) {
    const int64_t d = m_.deterministic_size;
    for (int64_t n = 0; n < d; n += kFeatures) {
      for (int gate = 0; gate < kGates; ++gate) {
        P::Panel(hidden, m_.gru_input[gate], n, products_ + gate * kFeatures * kLanes);
      }
      const int64_t features = d - n < kFeatures ? d - n : kFeatures;
      for (int64_t i = 0; i < features * kLanes; i += kWidth) {
        const int64_t at = n * kLanes + i;
        const float* xs = products_ + i;
        const Floats z = Sigmoid(Load(xs) + Load(gates_[kUpdate] + at));
        const Floats r = Sigmoid(Load(xs + kFeatures * kLanes) + Load(gates_[kReset] + at));
        const Floats c =
            Tanh(Fma(r, Load(gates_[kCandidate] + at), Load(xs + kCandidate * kFeatures * kLanes)));
        Store(next_ + at, Fma(z, Load(state_ + at) - c, c));
      }
    }
  }

  // s' = mean + stddev · noise from the prior's numbers, or the mean alone.
  void Draw(const float* prior, int64_t t, float* out) {
    const int64_t s = m_.stochastic_size;
    if (!m_.sample) {
      __builtin_memcpy(out, prior, s * kLanes * sizeof(float));
      return;
    }
    const int64_t begin = (t * settings_.batch * settings_.candidates + first_) * s;
    const float* noise = draws_;
    if (r_.noise.latents != nullptr) {
      noise = r_.noise.latents + begin;
    } else {
      DrawNormals(r_.noise.latent_stream, begin, rows_ * s, draws_);
    }
    for (int64_t i = 0; i < s; ++i) {
      const float* row = prior + i * kLanes;
      for (int64_t v = 0; v < kLanes; v += kWidth) {
        const Floats stddev = Softplus(Load(row + s * kLanes + v)) + m_.model_stddev;
        Store(out + i * kLanes + v, Fma(stddev, LanesOf(noise + i, v, s, rows_), Load(row + v)));
      }
    }
  }

  // Numbers noise[lane · stride] of lanes `first` …; 0 behind the last candidate.
  LOOKAHEAD_ALWAYS Floats LanesOf(const float* noise, int64_t first, int64_t stride, int64_t rows) {
    if (first + kWidth <= rows) return Strided(noise + first * stride, stride);
    Floats v = Splat(0.0f);
    for (int64_t lane = first; lane < rows; ++lane) v[lane - first] = noise[lane * stride];
    return v;
  }

  const Rollout& r_;
  const PackedModel& m_;
  const Settings& settings_;
  int64_t first_, rows_;
  int64_t belief_[kLanes];
  float *state_, *next_, *work_[2], *gates_[kGates], *products_, *pairs_, *returns_, *draws_;
};

static int64_t Scratch(const PackedModel& model, const Settings& settings, int64_t vectors) {
  return Places(model, settings, vectors).Total();
}

static void RolloutTile(const Rollout& rollout, int64_t vectors, int64_t first, float* scratch) {
  if (vectors == 1) Tile<1>(rollout, first, scratch).Run();
  if (vectors == 2) Tile<2>(rollout, first, scratch).Run();
  if (vectors == 3) Tile<3>(rollout, first, scratch).Run();
}

// At most kWidth rows; scratch for two times D rows and F more.
static void RecurrentProducts(const PackedModel& model, const float* states, int64_t rows,
                              float* out, float* scratch) {
  const int64_t d = model.deterministic_size;
  float* gate_rows = scratch + d * kWidth;
  for (int64_t i = 0; i < d * kWidth; ++i) {
    const int64_t lane = i % kWidth;
    gate_rows[i] = lane < rows ? states[lane * d + i / kWidth] : 0.0f;
  }
  if (!LOOKAHEAD_PAIRS) __builtin_memcpy(scratch, gate_rows, d * kWidth * sizeof(float));
  Products<1>::Inputs(gate_rows, d, scratch);
  for (int gate = 0; gate < kGates; ++gate) {
    Products<1>::Linear(model.gru_recurrent[gate], scratch, gate_rows);
    for (int64_t i = 0; i < rows * d; ++i) {
      const int64_t lane = i / d, n = i % d;
      out[(lane * kGates + gate) * d + n] = gate_rows[n * kWidth + lane];
    }
  }
}

static void Apply(Elementwise function, const float* in, int64_t count, float* out) {
  for (int64_t i = 0; i + kWidth <= count; i += kWidth) {
    const Floats v = Load(in + i);
    switch (function) {
      case kExp:
        Store(out + i, Exp(v));
        break;
      case kExpMinusOne:
        Store(out + i, ExpMinusOne(v));
        break;
      case kSigmoid:
        Store(out + i, Sigmoid(v));
        break;
      case kTanh:
        Store(out + i, Tanh(v));
        break;
      case kLog:
        Store(out + i, Log(v));
        break;
      case kSoftplus:
        Store(out + i, Softplus(v));
        break;
    }
  }
}

constexpr Kernels kKernels = {LOOKAHEAD_NAME,
                              kWidth,
                              LOOKAHEAD_COST,
                              {kFeatures, LOOKAHEAD_PAIRS},
                              Scratch,
                              RolloutTile,
                              RecurrentProducts,
                              NetworkScratch,
                              Network,
                              DrawNormals,
                              Apply};

}  // namespace LOOKAHEAD_ISA
}  // namespace cem
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_CEM_CC_KERNELS_ROLLOUT_H_
