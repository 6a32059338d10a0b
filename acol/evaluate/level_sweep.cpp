// Why this gives what find_contours gives.
//
// A border's rectangle. The outer border of an 8-connected region has the region's bounding rectangle. The border of a
// hole, a 4-connected region of background that does not reach the frame, runs on the foreground pixels beside it: its
// rectangle is the hole's and one pixel more on every side. So the rectangles of a level are those of the regions and
// of the holes. With a falling cut regions only grow, meet and appear; with a rising cut holes do the same, and end
// where they reach the frame. A union-find over the pixels in the order of their values, once down and once up, follows
// both, and a region is looked at only at levels where a pixel came to it.
//
// The largest contour. Let F be a region with its holes and all inside them filled. Its outer border encloses the unit
// squares between pixel centres with all four corners in F and half of those with three. A hole's border and all
// borders within it enclose part of that, so none has a larger area than the outermost border around it, which stands
// before them in OpenCV's order: the first of the largest contours is an outermost one. A region inside a hole has an
// area strictly below that of the hole's border. So the largest area over all regions, nested or not, is that of an
// outermost one; and of equal ones the first in OpenCV's order is the one found last, whose first pixel in raster order
// comes last.
//
// Areas by bounds. A region has at most the area of its rectangle, (w - 1)(h - 1), and at least that of its own squares
// without filled holes, which each new pixel changes by a count over its neighbours. What it or a part of it had at a
// higher cut is a lower bound, too. A border is walked only where these do not decide.
#include "acol/evaluate/level_sweep.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <queue>
#include <tuple>

#include "acol/evaluate/border_walk.h"
#include "tensor/check.h"

namespace acol {

namespace {

constexpr int none = -1;

struct Pixel {
  std::int16_t x = 0, y = 0;
};

// The pixels by rising value, those of equal value in raster order; those of value v from begin[v] to begin[v + 1].
struct SortedPixels {
  std::vector<Pixel> pixels;
  std::array<std::size_t, 257> begin{};

  SortedPixels(std::span<const std::uint8_t> values, int width, int height) : pixels(values.size()) {
    for (const std::uint8_t value : values) ++begin[value + std::size_t{1}];
    for (std::size_t v = 0; v < 256; ++v) begin[v + 1] += begin[v];
    std::array<std::size_t, 257> next = begin;
    const std::uint8_t* value = values.data();
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x)
        pixels[next[*value++]++] = {static_cast<std::int16_t>(x), static_cast<std::int16_t>(y)};
  }
  // Values from `low` on, below `high`.
  std::span<const Pixel> between(int low, int high) const {
    const std::size_t first = begin[static_cast<std::size_t>(low)];
    return {pixels.data() + first, begin[static_cast<std::size_t>(high)] - first};
  }
};

// What the neighbours of a new pixel tell, by which of them are in the set: bit d for the one in direction d (walk_x).
struct Around {
  std::uint8_t joins = 0;               // groups of neighbours that are not connected around the pixel
  std::array<std::uint8_t, 4> first{};  // a direction of each group
  std::uint8_t squares = 0;             // twice the area that squares with this corner gain: by half a square each for
                                        // a third and for a fourth corner
};

// Neighbours that touch are in one region already: only one of each group need be joined with the pixel. `diagonal`:
// whether corners touch.
constexpr std::array<Around, 256> around_table(bool diagonal) {
  std::array<Around, 256> table{};
  for (unsigned mask = 0; mask < 256; ++mask) {
    const auto in = [mask](unsigned direction) { return (mask >> direction % 8 & 1) != 0; };
    std::array<unsigned, 8> group{0, 1, 2, 3, 4, 5, 6, 7};
    const auto touch = [&](unsigned a, unsigned b) {
      const unsigned from = group[b % 8], to = group[a % 8];
      for (unsigned& g : group) g = g == from ? to : g;
    };
    for (unsigned d = 0; d < 8; ++d) {
      if (in(d) && in(d + 1)) touch(d, d + 1);                            // side by side
      if (diagonal && d % 2 == 0 && in(d) && in(d + 2)) touch(d, d + 2);  // corner to corner
    }
    Around& around = table[mask];
    std::array<bool, 8> taken{};
    for (unsigned d = 0; d < 8; d += diagonal ? 1 : 2) {  // without diagonals a corner neighbour is none
      if (!in(d) || taken[group[d]]) continue;
      taken[group[d]] = true;
      around.first[around.joins++] = static_cast<std::uint8_t>(d);
    }
    for (unsigned d = 1; d < 8; d += 2)
      around.squares = static_cast<std::uint8_t>(around.squares + (in(d - 1) + in(d) + in(d + 1) >= 2));
  }
  return table;
}

// A region, as long as it is its own parent. Areas are twice those between pixel centres, which makes them whole.
struct Region {
  int parent = 0;
  int pixels = 0;
  Box box{};
  int run = none;      // the run of its rectangle that is still open
  int touched = none;  // the level at which it last got a pixel
  int first = 0;       // the cell of its first pixel in raster order
  int squares = 0;     // area of its squares, holes not filled
  int measured = 0;    // the largest area found by walking around it or a part of it
  int least() const { return std::max(squares, measured); }
  int most() const { return 2 * (box.x1 - box.x0) * (box.y1 - box.y0); }
};

// Regions of labelled cells that are joined, and the runs of their rectangles.
class Regions {
 public:
  // `outside`: the label of the frame around the picture.
  Regions(int width, int height, int outside, std::vector<LevelSweep::Run>& runs)
      : stride_(width + 2),
        cells_(static_cast<std::size_t>(stride_) * static_cast<std::size_t>(height + 2), none),
        steps_{1, 1 - stride_, -stride_, -1 - stride_, -1, stride_ - 1, stride_, stride_ + 1},
        runs_(runs) {
    std::fill_n(cells_.begin(), stride_, outside);
    std::fill_n(cells_.end() - stride_, stride_, outside);
    for (int y = 1; y <= height; ++y) cells_[index(y * stride_)] = cells_[index((y + 1) * stride_ - 1)] = outside;
  }

  int stride() const { return stride_; }
  int cell(Pixel pixel) const { return (pixel.y + 1) * stride_ + pixel.x + 1; }
  std::int32_t* label(int cell) { return cells_.data() + cell; }
  Region& operator[](int region) { return regions_[index(region)]; }

  int find(int region) {
    for (int parent = (*this)[region].parent; parent != region; parent = (*this)[region].parent)
      region = (*this)[region].parent = (*this)[parent].parent;
    return region;
  }

  int make(const Region& region) {
    regions_.push_back(region);
    regions_.back().parent = static_cast<int>(regions_.size()) - 1;
    return regions_.back().parent;
  }

  // Which neighbours of the cell have a label: bits as in Around.
  unsigned neighbours(const std::int32_t* at) const {
    unsigned mask = 0;
    for (unsigned d = 0; d < 8; ++d) mask |= static_cast<unsigned>(at[steps_[d]] != none) << d;
    return mask;
  }

  // Puts a pixel into the region of its neighbours, which it joins, or into a new one. Returns that region.
  Region& put(Pixel pixel, const Around& around, int level) {
    const int here = cell(pixel), x = pixel.x, y = pixel.y;
    std::int32_t* at = label(here);
    int region = none;
    for (int i = 0; i < around.joins; ++i)
      region = joined(region, at[steps_[around.first[static_cast<std::size_t>(i)]]], level);
    if (region == none) region = make({.box = {x, y, x, y}, .first = here});
    *at = region;
    Region& grown = (*this)[region];
    ++grown.pixels;
    // Mostly nothing changes. A store each time would make the next pixel wait for it.
    Box& box = grown.box;
    if (x < box.x0) box.x0 = x;
    if (x > box.x1) box.x1 = x;
    if (y < box.y0) box.y0 = y;
    if (y > box.y1) box.y1 = y;
    if (here < grown.first) grown.first = here;
    if (grown.touched != level) {
      grown.touched = level;
      touched_.push_back(region);
    }
    return grown;
  }

  // Calls body(number, region) for the regions that got a pixel since the last call.
  template <class Body>
  void for_each_touched(const Body& body) {
    for (const int number : touched_)
      if (Region& region = (*this)[number]; region.parent == number) body(number, region);
    touched_.clear();
  }

  // From `level` on the region's border has this rectangle. Until the sweep ends, a run's `first` is the level at which
  // it began and its `last` the one at which it was over, or none.
  void set_rect(Region& region, const Box& rect, int level) {
    if (region.run != none && runs_[index(region.run)].rect == rect) return;
    end_run(region, level);
    region.run = static_cast<int>(runs_.size());
    runs_.push_back({rect, level, none});
  }

 private:
  static std::size_t index(int i) { return static_cast<std::size_t>(i); }

  // The region of the label `beside`, joined with `region` if that is one. The smaller one ends at `level`.
  int joined(int region, std::int32_t beside, int level) {
    const int other = find(beside);
    if (region == none || region == other) return other;
    const bool keep = (*this)[region].pixels >= (*this)[other].pixels;
    const int into = keep ? region : other, from = keep ? other : region;
    Region &a = (*this)[into], &b = (*this)[from];
    b.parent = into;
    end_run(b, level);
    a.pixels += b.pixels;
    a.box = Box{std::min(a.box.x0, b.box.x0), std::min(a.box.y0, b.box.y0), std::max(a.box.x1, b.box.x1),
                std::max(a.box.y1, b.box.y1)};
    a.first = std::min(a.first, b.first);
    a.squares += b.squares;
    a.measured = std::max(a.measured, b.measured);
    return into;
  }

  void end_run(Region& region, int level) {
    if (region.run != none) runs_[index(region.run)].last = level;
    region.run = none;
  }

  int stride_;
  std::vector<std::int32_t> cells_;  // the picture with a frame of one cell; the region of a pixel when it was put in
  std::array<std::ptrdiff_t, 8> steps_;  // to the neighbours, in the order of walk_x
  std::vector<Region> regions_;
  std::vector<int> touched_;
  std::vector<LevelSweep::Run>& runs_;
};

// Regions of foreground, cut by cut downwards, and the largest of them.
class Foreground {
 public:
  Foreground(int width, int height, std::vector<LevelSweep::Run>& runs) : regions_(width, height, none, runs) {}

  void add(std::span<const Pixel> pixels, int level) {
    static constexpr std::array<Around, 256> around = around_table(true);
    for (const Pixel pixel : pixels) {
      const Around& here = around[regions_.neighbours(regions_.label(regions_.cell(pixel)))];
      regions_.put(pixel, here, level).squares += here.squares;
    }
    regions_.for_each_touched([&](int number, Region& region) {
      regions_.set_rect(region, region.box, level);
      candidates_.push({region.most(), region.first, number, level});
    });
  }

  std::optional<Box> largest() {
    for (drop_outdated(); !candidates_.empty();) {
      Candidate best = candidates_.top();
      Region& region = regions_[best.region];
      if (region.least() == best.area) return region.box;  // so this is its area
      candidates_.pop();
      drop_outdated();
      const bool decided = candidates_.empty() || region.least() > candidates_.top().area;
      if (!decided) best.area = region.measured = walk_around(region);
      candidates_.push(best);
      if (decided) return region.box;
    }
    return std::nullopt;
  }

 private:
  // A region with an upper bound of its area, as it was at level `touched`.
  struct Candidate {
    int area, first, region, touched;
    bool operator<(const Candidate& other) const { return std::tie(area, first) < std::tie(other.area, other.first); }
  };
  bool outdated(const Candidate& candidate) {
    const Region& region = regions_[candidate.region];
    return region.parent != candidate.region || region.touched != candidate.touched;
  }
  void drop_outdated() {
    while (!candidates_.empty() && outdated(candidates_.top())) candidates_.pop();
  }

  int walk_around(const Region& region) {
    const std::int32_t* start = regions_.label(region.first);
    int x = 0, y = 0;
    std::int64_t twice_area = 0;
    walk_border(
        regions_.stride(), false, [&](std::ptrdiff_t cell) { return start[cell] != none; },
        [&](std::ptrdiff_t, int next, bool) {
          const int next_x = x + walk_x[static_cast<std::size_t>(next)];
          const int next_y = y + walk_y[static_cast<std::size_t>(next)];
          twice_area += std::int64_t{x} * next_y - std::int64_t{next_x} * y;  // shoelace formula
          x = next_x;
          y = next_y;
        });
    return static_cast<int>(std::abs(twice_area));
  }

  Regions regions_;
  std::priority_queue<Candidate> candidates_;
};

// Regions of background, cut by cut upwards: those that the frame does not reach are holes.
class Background {
 public:
  Background(int width, int height, std::vector<LevelSweep::Run>& runs) : regions_(width, height, outside, runs) {
    regions_.make({.pixels = std::numeric_limits<int>::max() / 2});  // the largest: it always keeps its number
  }

  void add(std::span<const Pixel> pixels, int level) {
    static constexpr std::array<Around, 256> around = around_table(false);
    for (const Pixel pixel : pixels)
      regions_.put(pixel, around[regions_.neighbours(regions_.label(regions_.cell(pixel)))], level);
    regions_.for_each_touched([&](int number, Region& hole) {
      const Box& box = hole.box;
      if (number != outside) regions_.set_rect(hole, Box{box.x0 - 1, box.y0 - 1, box.x1 + 1, box.y1 + 1}, level);
    });
  }

 private:
  static constexpr int outside = 0;
  Regions regions_;
};

}  // namespace

LevelSweep sweep_levels(std::span<const std::uint8_t> values, int width, int height, std::span<const int> cuts) {
  constexpr int largest_extent = std::numeric_limits<std::int16_t>::max();
  check(width >= 1 && height >= 1 && width <= largest_extent && height <= largest_extent,
        "sweep_levels: extents must be in 1..", largest_extent, ", got ", width, " x ", height);
  check(values.size() == static_cast<std::size_t>(width) * static_cast<std::size_t>(height), "sweep_levels: a ", width,
        " x ", height, " picture needs as many values, got ", values.size());
  for (std::size_t i = 0; i < cuts.size(); ++i)
    check(cuts[i] > (i == 0 ? -1 : cuts[i - 1]) && cuts[i] <= 255,
          "sweep_levels: cuts must ascend and lie in 0..255, got ", cuts[i], " as number ", i);

  const SortedPixels sorted(values, width, height);
  const int levels = static_cast<int>(cuts.size());
  LevelSweep sweep;
  sweep.largest.resize(cuts.size());
  int above = 256;
  Foreground foreground(width, height, sweep.runs);
  for (int level = levels - 1; level >= 0; --level) {
    const auto i = static_cast<std::size_t>(level);
    foreground.add(sorted.between(cuts[i] + 1, above), level);
    sweep.largest[i] = foreground.largest();
    above = cuts[i] + 1;
  }
  for (LevelSweep::Run& run : sweep.runs) run = {run.rect, run.last + 1, run.first};  // none + 1 is the lowest level

  const std::size_t outer = sweep.runs.size();
  int below = 0;
  Background background(width, height, sweep.runs);
  for (int level = 0; level < levels; ++level) {
    const int end = cuts[static_cast<std::size_t>(level)] + 1;
    background.add(sorted.between(below, end), level);
    below = end;
  }
  for (LevelSweep::Run& run : std::span(sweep.runs).subspan(outer))
    run.last = run.last == none ? levels - 1 : run.last - 1;
  return sweep;
}

}  // namespace acol
