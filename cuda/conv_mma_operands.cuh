// The factors A and B of the three passes' products, none of which exists in memory as such, and how a block copies its
// pieces of them into shared memory: asynchronously, 16 bytes at a time, which are four float or eight bf16 channels of
// a pixel or of a tap of a filter. A copy outside the matrix writes zeros.
//
//   pass                rows of A x terms            columns of B          A                  B
//   forward             output pixels x (r, s, c)    outputs o             patches of x       w
//   backward data       input pixels x (r, s, o)     inputs c              patches of dy      w, terms far apart
//   backward weights    outputs o x output pixels    (r, s, c)             dy, its columns    patches of x, columns
//
// Channels are neighbours in memory, so a RowTile takes operands whose terms are channels and a TermTile those whose
// rows are. Every thread copies the same places of each step's tile and keeps track of what belongs there.
#pragma once

#include "cuda/conv_mma_bf16.cuh"
#include "cuda/conv_mma_tile.cuh"

namespace acol::cuda::mma {

// The patches that a convolution reads: patch (n, i, j) has at tap (r, s) the channels of pixel
//   (n, i stride_h + start_h + r step_h, j stride_w + start_w + s step_w)
// of a picture, or zeros outside it. Backward data at stride 1 is one as well: input pixel h meets, at tap r, output
// h + pad - r dilation.
template <class Element>
struct Patches {
  const Element* data;  // (batch, height, width, channels)
  int batch, height, width, channels;
  int patches_h, patches_w;  // of a picture
  int filter_h, filter_w;
  int stride_h, stride_w, start_h, start_w, step_h, step_w;
};

// Those of the input that each output reads.
template <class Element>
Patches<Element> input_patches(const Conv2dGeometry& g, const Element* x) {
  return {x,          g.batch,    g.in_h,     g.in_w,   g.in_c,   g.out_h(),    g.out_w(),   g.filter_h,
          g.filter_w, g.stride_h, g.stride_w, -g.pad_h, -g.pad_w, g.dilation_h, g.dilation_w};
}

// Those of the gradient that each input takes part in, at stride 1.
template <class Element>
Patches<Element> output_patches(const Conv2dGeometry& g, const Element* dy) {
  return {dy,         g.batch, g.out_h(), g.out_w(), g.out_c, g.in_h,        g.in_w,       g.filter_h,
          g.filter_w, 1,       1,         g.pad_h,   g.pad_w, -g.dilation_h, -g.dilation_w};
}

// data: (rows, columns)
template <class Element>
struct Matrix {
  const Element* data;
  int rows, columns;
};

// Terms (tap, inner) of numbers that lie as (inner, taps, columns). With one tap: a plain matrix whose rows are terms.
template <class Element>
struct FilterTerms {
  const Element* data;
  int inner, taps, columns;
};

// What a thread copies of a RowTile: pack `pack()` of the rows row(0), row(1), ... Eight neighbours write rows r and
// r + 4, whose packs lie in different banks.
template <int Rows, int Threads>
struct RowTileShare {
  static constexpr int packs = 4, count = Rows * packs / Threads;
  static_assert(Rows * packs % Threads == 0 && Threads / packs % 8 == 0);

  __device__ static int pack() { return static_cast<int>(threadIdx.x) % packs; }
  __device__ static int row(int i) {
    const int place = static_cast<int>(threadIdx.x) / packs;
    return i * (Threads / packs) + place / 8 * 8 + place % 2 * 4 + place / 2 % 4;
  }
};

// The same for a TermTile: pack `pack()` of terms term(0), term(0) + stride, ...
template <class Element, int Rows, int Threads>
struct TermTileShare {
  static constexpr int packs = Rows / pack_size<Element>, stride = Threads / packs, count = depth<Element> / stride;
  static_assert(Threads % packs == 0 && depth<Element> % stride == 0);

  __device__ static int pack() { return static_cast<int>(threadIdx.x) % packs; }
  __device__ static int term(int i) { return static_cast<int>(threadIdx.x) / packs + i * stride; }
};

// Each of the following classes copies the tiles of one step after the other, for `Rows` rows from `first_row` on and
// from term `first_term` on. copy_next starts the copies of a step.

// A of forward and backward data: a patch a row, its terms (r, s, channel).
template <class Element, int Rows, int Threads>
class PatchRows {
 public:
  using Source = mma::Patches<Element>;
  using Tile = RowTile<Element, Rows>;

  __device__ PatchRows(const Source& source, int first_row, int first_term) : source_(source) {
    const int patches = source.patches_h * source.patches_w;
#pragma unroll
    for (int i = 0; i < Share::count; ++i) {
      const int row = first_row + Share::row(i), n = row / patches, patch = row % patches;
      h_[i] = patch / source.patches_w * source.stride_h + source.start_h;
      w_[i] = patch % source.patches_w * source.stride_w + source.start_w;
      pixel_[i] = (n * source.height + h_[i]) * source.width + w_[i];
      if (n >= source.batch) h_[i] = far_outside;
    }
    const int term = first_term + pack_size<Element> * Share::pack(), tap = term / source.channels;
    channel_ = term % source.channels, r_ = tap / source.filter_w, s_ = tap % source.filter_w;
  }

  __device__ __forceinline__ void copy_next(Tile& tile) {
    const int h_offset = r_ * source_.step_h, w_offset = s_ * source_.step_w;
    const int pixel_offset = h_offset * source_.width + w_offset;
#pragma unroll
    for (int i = 0; i < Share::count; ++i) {
      const bool inside = r_ < source_.filter_h &&
                          static_cast<unsigned>(h_[i] + h_offset) < static_cast<unsigned>(source_.height) &&
                          static_cast<unsigned>(w_[i] + w_offset) < static_cast<unsigned>(source_.width);
      const std::int64_t from =
          inside ? static_cast<std::int64_t>(pixel_[i] + pixel_offset) * source_.channels + channel_ : 0;
      copy_async_16(&tile.pack[Share::row(i)][Share::pack()], source_.data + from, inside);
    }
    for (channel_ += depth<Element>; channel_ >= source_.channels; channel_ -= source_.channels)
      if (++s_ == source_.filter_w) s_ = 0, ++r_;
  }

 private:
  using Share = RowTileShare<Rows, Threads>;
  static constexpr int far_outside = -(1 << 30);

  const Source& source_;
  int h_[Share::count], w_[Share::count], pixel_[Share::count];  // where tap (0, 0) of each row is
  int r_, s_, channel_;                                          // of this thread's pack in the next step
};

// B of forward: the terms of a row are a row of a matrix.
template <class Element, int Rows, int Threads>
class MatrixRows {
 public:
  using Source = mma::Matrix<Element>;
  using Tile = RowTile<Element, Rows>;

  __device__ MatrixRows(const Source& source, int first_row, int first_term)
      : source_(source), first_row_(first_row), term_(first_term + pack_size<Element> * Share::pack()) {}

  __device__ __forceinline__ void copy_next(Tile& tile) {
#pragma unroll
    for (int i = 0; i < Share::count; ++i) {
      const int row = first_row_ + Share::row(i);
      const bool inside = row < source_.rows && term_ < source_.columns;
      const std::int64_t from = inside ? static_cast<std::int64_t>(row) * source_.columns + term_ : 0;
      copy_async_16(&tile.pack[Share::row(i)][Share::pack()], source_.data + from, inside);
    }
    term_ += depth<Element>;
  }

 private:
  using Share = RowTileShare<Rows, Threads>;

  const Source& source_;
  int first_row_, term_;
};

// B of backward data (taps and outputs are terms, inputs rows), and A of backward weights (pixels are terms).
template <class Element, int Rows, int Threads>
class FilterColumns {
 public:
  using Source = mma::FilterTerms<Element>;
  using Tile = TermTile<Element, Rows>;

  __device__ FilterColumns(const Source& source, int first_row, int first_term)
      : source_(source), row_(first_row + pack_size<Element> * Share::pack()) {
    const int term = first_term + Share::term(0);
    inner_ = term % source.inner, tap_ = term / source.inner;
  }

  __device__ __forceinline__ void copy_next(Tile& tile) {
#pragma unroll
    for (int i = 0; i < Share::count; ++i) {
      const bool inside = row_ < source_.columns && tap_ < source_.taps;
      const std::int64_t from =
          inside ? (static_cast<std::int64_t>(inner_) * source_.taps + tap_) * source_.columns + row_ : 0;
      copy_async_16(&tile.pack[Tile::place(Share::term(i))][Share::pack()], source_.data + from, inside);
      for (inner_ += Share::stride; inner_ >= source_.inner; inner_ -= source_.inner) ++tap_;
    }
  }

 private:
  using Share = TermTileShare<Element, Rows, Threads>;

  const Source& source_;
  int row_, inner_, tap_;  // the last two of this thread's next term
};

// B of backward weights: each patch is a term, and the numbers (r, s, channel) in it are the rows.
template <class Element, int Rows, int Threads>
class PatchColumns {
 public:
  using Source = mma::Patches<Element>;
  using Tile = TermTile<Element, Rows>;

  __device__ PatchColumns(const Source& source, int first_row, int first_term) : source_(source) {
    const int row = first_row + pack_size<Element> * Share::pack(), tap = row / source.channels,
              r = tap / source.filter_w;
    channel_ = row % source.channels;
    h_offset_ = source.start_h + r * source.step_h;
    w_offset_ = source.start_w + tap % source.filter_w * source.step_w;
    in_filter_ = r < source.filter_h;
    const int term = first_term + Share::term(0), patches = source.patches_h * source.patches_w;
    n_ = term / patches, i_ = term % patches / source.patches_w, j_ = term % source.patches_w;
  }

  __device__ __forceinline__ void copy_next(Tile& tile) {
#pragma unroll
    for (int i = 0; i < Share::count; ++i) {
      const int h = i_ * source_.stride_h + h_offset_, w = j_ * source_.stride_w + w_offset_;
      const bool inside = in_filter_ && n_ < source_.batch &&
                          static_cast<unsigned>(h) < static_cast<unsigned>(source_.height) &&
                          static_cast<unsigned>(w) < static_cast<unsigned>(source_.width);
      const int pixel = (n_ * source_.height + h) * source_.width + w;
      const std::int64_t from = inside ? static_cast<std::int64_t>(pixel) * source_.channels + channel_ : 0;
      copy_async_16(&tile.pack[Tile::place(Share::term(i))][Share::pack()], source_.data + from, inside);
      for (j_ += Share::stride; j_ >= source_.patches_w; j_ -= source_.patches_w)
        if (++i_ == source_.patches_h) i_ = 0, ++n_;
    }
  }

 private:
  using Share = TermTileShare<Element, Rows, Threads>;

  const Source& source_;
  int channel_, h_offset_, w_offset_;  // of this thread's rows
  bool in_filter_;
  int n_, i_, j_;  // this thread's next patch
};

}  // namespace acol::cuda::mma
