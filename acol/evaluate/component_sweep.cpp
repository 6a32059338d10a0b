#include "acol/evaluate/component_sweep.h"

#include <algorithm>
#include <cstdint>

#include "tensor/check.h"

namespace acol {

namespace {

Box around(const Box& a, const Box& b) {
  return {std::min(a.x0, b.x0), std::min(a.y0, b.y0), std::max(a.x1, b.x1), std::max(a.y1, b.y1)};
}

// A union-find over pixels, with the box and size of every set. From cut to cut downwards pixels only come in, so that
// components only grow and join, and the winner is found by looking at what has just grown: whatever absorbs the winner
// is larger than it in either order, and its first pixel is not later.
class Forest {
 public:
  Forest(int width, int height, Neighbours neighbours, LargestBy order)
      : width_(width), height_(height), neighbours_(neighbours), order_(order) {
    const auto count = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
    parent_.assign(count, -1);  // -1: not in yet
    parts_.resize(count);
    first_.resize(count);
  }

  void add(int pixel) {
    const int x = pixel % width_, y = pixel / width_;
    parent_[at(pixel)] = first_[at(pixel)] = pixel;
    parts_[at(pixel)] = Component{Box{x, y, x, y}, 1};
    for (int ny = std::max(y - 1, 0); ny <= std::min(y + 1, height_ - 1); ++ny)
      for (int nx = std::max(x - 1, 0); nx <= std::min(x + 1, width_ - 1); ++nx) {
        if (neighbours_ == Neighbours::four && nx != x && ny != y) continue;
        if (parent_[at(ny * width_ + nx)] >= 0) join(pixel, ny * width_ + nx);
      }
    const int grown = root(pixel);
    if (winner_ < 0 || better(grown, root(winner_))) winner_ = grown;
  }

  std::optional<Box> winner() {
    if (winner_ < 0) return std::nullopt;
    return parts_[at(root(winner_))].box;
  }

 private:
  static std::size_t at(int pixel) { return static_cast<std::size_t>(pixel); }

  int root(int pixel) {
    while (parent_[at(pixel)] != pixel) {
      parent_[at(pixel)] = parent_[at(parent_[at(pixel)])];
      pixel = parent_[at(pixel)];
    }
    return pixel;
  }

  void join(int a, int b) {
    a = root(a);
    b = root(b);
    if (a == b) return;
    if (parts_[at(a)].pixels < parts_[at(b)].pixels) std::swap(a, b);
    parent_[at(b)] = a;
    parts_[at(a)].box = around(parts_[at(a)].box, parts_[at(b)].box);
    parts_[at(a)].pixels += parts_[at(b)].pixels;
    first_[at(a)] = std::min(first_[at(a)], first_[at(b)]);
  }

  bool better(int a, int b) const {
    const auto size = [this](int pixel) {
      const Component& part = parts_[at(pixel)];
      return order_ == LargestBy::pixels ? part.pixels : area(part.box);
    };
    return size(a) != size(b) ? size(a) > size(b) : first_[at(a)] < first_[at(b)];
  }

  int width_, height_;
  Neighbours neighbours_;
  LargestBy order_;
  std::vector<int> parent_, first_;  // first_: of a root, the first pixel in raster order
  std::vector<Component> parts_;     // of a root
  int winner_ = -1;                  // a pixel of the winning component
};

}  // namespace

std::vector<std::optional<Box>> sweep_components(const ScoreMap& map, std::span<const double> cuts,
                                                 Neighbours neighbours, LargestBy order) {
  validate(map, "sweep_components");
  for (std::size_t i = 0; i < cuts.size(); ++i)
    check(cuts[i] == cuts[i] && (i == 0 || cuts[i] > cuts[i - 1]), "sweep_components: cuts must ascend, got ", cuts[i],
          " at place ", i);
  // Pixels by the number of cuts that they reach: a counting sort.
  std::vector<std::size_t> reached, starts(cuts.size() + 2, 0);
  for (const double v : map.values) {
    reached.push_back(static_cast<std::size_t>(std::upper_bound(cuts.begin(), cuts.end(), v) - cuts.begin()));
    ++starts[reached.back() + 1];
  }
  for (std::size_t i = 1; i < starts.size(); ++i) starts[i] += starts[i - 1];
  std::vector<int> ordered(map.values.size());
  std::vector<std::size_t> next = starts;
  for (std::size_t i = 0; i < reached.size(); ++i) ordered[next[reached[i]]++] = static_cast<int>(i);

  Forest forest(map.width, map.height, neighbours, order);
  std::vector<std::optional<Box>> winners(cuts.size());
  for (std::size_t cut = cuts.size(); cut-- > 0;) {
    for (std::size_t i = starts[cut + 1]; i < starts[cut + 2]; ++i) forest.add(ordered[i]);
    winners[cut] = forest.winner();
  }
  return winners;
}

}  // namespace acol
