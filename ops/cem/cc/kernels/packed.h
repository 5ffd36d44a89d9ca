// The model's weights in the order the micro-kernel reads them, and what a
// rollout of candidates needs and gives. No instruction set is named here.
//
//   weights [depth, width]            panels [width / F][depth][F]
//   ┌ 0 … F−1 │ F … 2F−1 │ … ┐        ┌ panel 0: depth rows of F, one run
//   │         │          │   │   →    ├ panel 1
//   └         │          │   ┘        └ …, the last one filled up with zeros
//
// In bfloat16 a word of a panel is a pair of weights of one column, of rows 2 k
// and 2 k + 1, so a panel has half as many rows.

#ifndef LOOKAHEAD_OPS_CEM_CC_KERNELS_PACKED_H_
#define LOOKAHEAD_OPS_CEM_CC_KERNELS_PACKED_H_

#include <cstdint>

#include "ops/cem/cc/kernels/plan.h"

namespace lookahead {
namespace cem {

struct PackedLayer {
  const float* panels;
  const float* bias;  // filled up to whole panels
  int64_t depth, width;
  int64_t words;  // of a column: depth, or half of it, rounded up
};

struct PackedLayers {
  PackedLayer layer[kMaxLayers];
  int64_t count;
};

enum Gate { kUpdate, kReset, kCandidate, kGates };

struct PackedModel {
  int64_t action_size, stochastic_size, deterministic_size;
  PackedLayers input, prior, reward;
  bool has_gru;
  PackedLayer gru_input[kGates], gru_recurrent[kGates];
  Activation activation;
  bool sample;
  float model_stddev;
  int64_t widest;  // greatest width of a layer
};

// How an instruction set reads its panels.
struct PanelLayout {
  int64_t features;  // columns of a panel
  bool pairs;        // words are pairs of bfloat16, not floats
};

// Floats that Pack needs.
int64_t PackedFloats(const Model& model, const PanelLayout& layout);

// Packs into `memory`, which `packed` points into afterwards.
void Pack(const Model& model, const PanelLayout& layout, float* memory, PackedModel* packed);

// The layers alone. Packs them one behind the other, or, where they have no
// weights, only says where in `memory` they lie; returns the floats used.
int64_t PackLayers(const Layers& layers, const PanelLayout& layout, float* memory,
                   PackedLayers* packed);

// One iteration's candidates: from the proposal and the noise to their returns.
struct Rollout {
  const PackedModel* model;
  const Settings* settings;
  const float* deterministic;  // [B, D]
  const float* stochastic;     // [B, S]
  const float* recurrent;      // [B, 3 D]: the beliefs' own recurrent products
  const float* mean;           // [B, H, A]
  const float* stddev;         // [B, H, A]
  Noise noise;
  float* actions;  // [N, H, A]
  float* returns;  // [N]
};

// The functions of elementwise.h, to be tested one by one.
enum Elementwise : int32_t { kExp, kExpMinusOne, kSigmoid, kTanh, kLog, kSoftplus };

// One instruction set's functions. A tile is `vectors` · `width` candidates,
// 1 to 3 vectors. A candidate's numbers do not depend on the tile it is in.
struct Kernels {
  const char* name;
  int64_t width;   // floats of a vector
  double cost[4];  // time of a tile of so many vectors, as measured; the unit is free
  PanelLayout layout;
  // Floats of scratch that a tile needs.
  int64_t (*scratch)(const PackedModel& model, const Settings& settings, int64_t vectors);
  // Draws, rolls out and judges candidates `first` … of a tile; those behind the
  // last one are left out.
  void (*rollout)(const Rollout& rollout, int64_t vectors, int64_t first, float* scratch);
  // out [rows, 3 D]: the recurrent products of states [rows, D], one tile.
  void (*recurrent)(const PackedModel& model, const float* states, int64_t rows, float* out,
                    float* scratch);
  // Floats of scratch that a tile of a network needs.
  int64_t (*network_scratch)(const PackedLayers& layers, int64_t vectors);
  // outputs [rows, out] of a network's layers on inputs [rows, in], one tile.
  void (*network)(const PackedLayers& layers, Activation activation, const float* inputs,
                  int64_t rows, int64_t vectors, float* outputs, float* scratch);
  // Normal draws `first` … `first + count` of a stream.
  void (*draw)(const Stream& stream, int64_t first, int64_t count, float* out);
  // A function of elementwise.h on a whole number of vectors.
  void (*elementwise)(Elementwise function, const float* in, int64_t count, float* out);
};

}  // namespace cem
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_CEM_CC_KERNELS_PACKED_H_
