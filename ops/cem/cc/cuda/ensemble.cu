// Networks of one shape on a GPU: a block takes a tile of one member's rows through
// all layers in shared memory (products.h).

#include <cuda_runtime.h>

#include "ops/cem/cc/cuda/launch.h"
#include "ops/cem/cc/cuda/launchers.h"
#include "ops/cem/cc/cuda/products.h"

namespace lookahead {
namespace cem {
namespace {

struct EnsembleWork {
  DeviceLayer layer[kMaxLayers];  // the first member's
  int32_t count, in_size, out_size;
  int32_t in_rows, widest_hidden, widest_open;  // filled up
  Activation activation;
  int64_t rows, member_words;
  const float* inputs;
  float* outputs;
};

// A member's part of the packed memory: the layers' words one after the other, then
// their biases. Counts only where `packed` is null.
EnsembleWork LayOut(const LookaheadEnsemble& ensemble, int32_t depths_in_a_word, float* packed) {
  const int32_t step_depth = kStepWords * depths_in_a_word;
  EnsembleWork work = {};
  work.count = ensemble.num_layers;
  work.in_size = static_cast<int32_t>(ensemble.sizes[0]);
  work.out_size = static_cast<int32_t>(ensemble.sizes[work.count]);
  work.in_rows = FilledUp(work.in_size, step_depth);
  work.widest_open = FilledUp(work.out_size, kTileWidth);
  work.activation = ensemble.activation;
  work.rows = ensemble.rows;
  uint32_t* words = reinterpret_cast<uint32_t*>(packed);
  for (int32_t i = 0; i < work.count; ++i) {
    DeviceLayer& layer = work.layer[i];
    layer.top_depth = static_cast<int32_t>(ensemble.sizes[i]);
    layer.bottom_at = FilledUp(layer.top_depth, step_depth);
    layer.width = static_cast<int32_t>(ensemble.sizes[i + 1]);
    layer.gates = 1;
    layer.tiles = FilledUp(layer.width, kTileWidth) / kTileWidth;
    layer.steps = layer.bottom_at / step_depth;
    layer.packed = words == nullptr ? nullptr : words + work.member_words;
    work.member_words += WordsOf(layer);
    const int32_t filled = FilledUp(layer.width, step_depth);
    if (i + 1 < work.count && filled > work.widest_hidden) work.widest_hidden = filled;
  }
  for (int32_t i = 0; i < work.count; ++i) {
    work.layer[i].bias = words == nullptr ? nullptr : packed + work.member_words;
    work.member_words += FilledUp(work.layer[i].width, 4);  // fragments stay aligned
  }
  return work;
}

__host__ __device__ DeviceLayer OfMember(DeviceLayer layer, int64_t offset) {
  layer.packed += offset;
  layer.bias += offset;
  return layer;
}

struct PackWork {
  DeviceLayer layer[kMaxLayers];
  const float* bias[kMaxLayers];  // where they come from
  int64_t member_words;
};

// Weights in the order of fragments, and biases; a block's y is the layer, its z the member.
template <typename Word>
__global__ void PackEnsembleKernel(const __grid_constant__ PackWork work) {
  const int64_t member = blockIdx.z;
  DeviceLayer layer = OfMember(work.layer[blockIdx.y], member * work.member_words);
  layer.top += member * layer.top_depth * layer.width;
  PackLayer<Word>(layer);
  float* bias = const_cast<float*>(layer.bias);
  const float* from = work.bias[blockIdx.y] + member * layer.width;
  for (int32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < layer.width;
       i += gridDim.x * blockDim.x) {
    bias[i] = from[i];
  }
}

__host__ __device__ int64_t RoomOf(const EnsembleWork& work, int32_t depths_in_a_word,
                                   int32_t tile) {
  const int64_t words = (work.in_rows + 2 * work.widest_hidden) / depths_in_a_word;
  return words * StrideOf(tile) + work.widest_open * tile;
}

template <typename Word, int T>
class MemberTile : private Products<Word, T> {
 public:
  __device__ MemberTile(const EnsembleWork& work, uint32_t* shared)
      : Base(shared, work.activation),
        w_(work),
        member_(blockIdx.y),
        first_(static_cast<int64_t>(blockIdx.x) * T) {
    const int64_t left = w_.rows - first_;
    count_ = left < T ? static_cast<int32_t>(left) : T;
    const int32_t hidden = w_.in_rows / Word::kDepths * Base::kStride;
    const int32_t rows = w_.widest_hidden / Word::kDepths;
    this->PlaceHidden(hidden, rows);
    this->open_ = hidden + 2 * rows * Base::kStride;
    // What no layer writes meets weights that are zero, but must be numbers.
    for (int32_t i = threadIdx.x; i < 2 * rows * Base::kStride; i += blockDim.x) {
      shared[hidden + i] = 0;
    }
  }

  __device__ void Run() {
    const float* inputs = w_.inputs + (member_ * w_.rows + first_) * w_.in_size;
    this->Fill(0, w_.in_size, w_.in_rows, 0, [&](int32_t i, int32_t row) {
      return row < count_ ? inputs[static_cast<int64_t>(row) * w_.in_size + i] : 0.0f;
    });
    __syncthreads();
    int32_t in = 0;
    for (int32_t i = 0; i < w_.count; ++i) {
      const bool last = i + 1 == w_.count;
      const int32_t out = last ? Base::kOpen : this->Other(in);
      this->Multiply(OfMember(w_.layer[i], member_ * w_.member_words), in, out);
      __syncthreads();
      in = out;
    }
    float* outputs = w_.outputs + (member_ * w_.rows + first_) * w_.out_size;
    for (int32_t i = threadIdx.x; i < count_ * w_.out_size; i += blockDim.x) {
      outputs[i] = this->FloatAt(this->open_ + i % w_.out_size * T + i / w_.out_size);
    }
  }

 private:
  typedef Products<Word, T> Base;

  const EnsembleWork& w_;
  int64_t member_, first_;
  int32_t count_;
};

template <typename Word, int T>
__global__ void __launch_bounds__(kTileThreads, 1)
    EnsembleKernel(const __grid_constant__ EnsembleWork work) {
  MemberTile<Word, T>(work, SharedWords()).Run();
}

template <typename Word, int T>
int EvaluateIfFits(CUstream_st* stream, const EnsembleWork& work, int64_t members,
                   const Limits& limits, bool* fits) {
  const int64_t bytes = RoomOf(work, Word::kDepths, T) * sizeof(uint32_t);
  *fits = bytes <= limits.shared_bytes;
  if (!*fits) return cudaSuccess;
  const dim3 grid(static_cast<unsigned>((work.rows + T - 1) / T), static_cast<unsigned>(members));
  return LaunchTiles(stream, grid, bytes, EnsembleKernel<Word, T>, work);
}

// As wide a tile as leaves no processor without one, for every tile streams the weights.
template <typename Word>
int Evaluate(CUstream_st* stream, const LookaheadEnsemble& ensemble, const float* packed,
             const float* inputs, float* outputs) {
  EnsembleWork work = LayOut(ensemble, Word::kDepths, const_cast<float*>(packed));
  work.inputs = inputs;
  work.outputs = outputs;
  Limits limits;
  const int failed = ReadLimits(&limits);
  if (failed != cudaSuccess) return failed;
  const int64_t rows = ensemble.members * ensemble.rows;
  bool fits = false;
  int error = cudaSuccess;
  const auto try_tile = [&](auto evaluate, int64_t tile) {
    if (fits || (tile > 8 && rows <= tile / 2 * limits.processors)) return;
    error = evaluate(stream, work, ensemble.members, limits, &fits);
  };
  if (Word::kDepths == 2) try_tile(EvaluateIfFits<BFloat16Word, 64>, 64);
  try_tile(EvaluateIfFits<Word, 32>, 32);
  try_tile(EvaluateIfFits<Word, 16>, 16);
  try_tile(EvaluateIfFits<Word, 8>, 8);
  return fits ? error : kLookaheadCudaTooWide;
}

template <typename Word>
int Pack(CUstream_st* stream, const LookaheadEnsemble& ensemble, const float* const* weights,
         const float* const* biases, float* packed) {
  const EnsembleWork laid = LayOut(ensemble, Word::kDepths, packed);
  PackWork work = {};
  work.member_words = laid.member_words;
  for (int32_t i = 0; i < laid.count; ++i) {
    work.layer[i] = laid.layer[i];
    work.layer[i].top = weights[i];
    work.bias[i] = biases[i];
  }
  const dim3 grid(16, static_cast<unsigned>(laid.count), static_cast<unsigned>(ensemble.members));
  return Launch(stream, grid, PackEnsembleKernel<Word>, work);
}

}  // namespace
}  // namespace cem
}  // namespace lookahead

using lookahead::cem::BFloat16Word;
using lookahead::cem::FloatWord;

int64_t lookahead_cem_cuda_ensemble_floats(const LookaheadEnsemble* ensemble) {
  const int32_t depths = ensemble->bfloat16 ? BFloat16Word::kDepths : FloatWord::kDepths;
  return lookahead::cem::LayOut(*ensemble, depths, nullptr).member_words;
}

int lookahead_cem_cuda_pack_ensemble(CUstream_st* stream, const LookaheadEnsemble* ensemble,
                                     const float* const* weights, const float* const* biases,
                                     float* packed) {
  const auto pack =
      ensemble->bfloat16 ? lookahead::cem::Pack<BFloat16Word> : lookahead::cem::Pack<FloatWord>;
  return pack(stream, *ensemble, weights, biases, packed);
}

int lookahead_cem_cuda_ensemble(CUstream_st* stream, const LookaheadEnsemble* ensemble,
                                const float* packed, const float* inputs, float* outputs) {
  if (ensemble->members == 0 || ensemble->rows == 0) return cudaSuccess;
  const auto evaluate = ensemble->bfloat16 ? lookahead::cem::Evaluate<BFloat16Word>
                                           : lookahead::cem::Evaluate<FloatWord>;
  return evaluate(stream, *ensemble, packed, inputs, outputs);
}
