#include "acol/evaluate/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "tensor/check.h"
#include "tensor/cpu/parallel.h"
#include "tensor/random.h"

namespace acol {

namespace {

constexpr double no_figure = std::numeric_limits<double>::quiet_NaN();

// Most pictures look alike: a few dozen different patterns of right and wrong. A resample counts those.
struct Patterns {
  std::vector<PictureRates> kinds;
  std::vector<std::int32_t> of_picture, label;
  int classes = 0;

  explicit Patterns(const std::vector<RatedPicture>& pictures) {
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::int32_t> known;
    for (const RatedPicture& picture : pictures) {
      check(picture.label >= 0, "bootstrap: a label must not be negative, got ", picture.label);
      const auto [entry, is_new] =
          known.try_emplace({picture.rates.counted, picture.rates.right}, static_cast<std::int32_t>(kinds.size()));
      if (is_new) kinds.push_back(picture.rates);
      of_picture.push_back(entry->second);
      label.push_back(picture.label);
      classes = std::max(classes, picture.label + 1);
    }
  }
};

// The figures of one resample, in percent; NaN where it holds no picture that counts.
struct Figures {
  std::array<double, rate_count> rates{};
  double corloc = no_figure;
};

double percent(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? no_figure : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

Figures resample(const Patterns& patterns, std::uint64_t seed, std::uint32_t number) {
  RandomStream random(seed, Purpose::bootstrap, number);
  const std::size_t kinds = patterns.kinds.size();
  const auto count = static_cast<int>(patterns.of_picture.size());
  std::vector<std::int64_t> times(kinds);  // each pattern is drawn
  std::vector<std::int32_t> known(static_cast<std::size_t>(patterns.classes)), found(known.size());
  for (int i = 0; i < count; ++i) {
    const auto drawn = static_cast<std::size_t>(random.below(count));
    const auto kind = static_cast<std::size_t>(patterns.of_picture[drawn]);
    const auto label = static_cast<std::size_t>(patterns.label[drawn]);
    ++times[kind];
    known[label] += patterns.kinds[kind].counts(Rate::gt_known);
    found[label] += patterns.kinds[kind].is_right(Rate::gt_known);
  }

  Figures figures;
  for (std::size_t r = 0; r < rate_count; ++r) {
    std::int64_t counted = 0, right = 0;
    for (std::size_t k = 0; k < kinds; ++k) {
      counted += patterns.kinds[k].counts(static_cast<Rate>(r)) ? times[k] : 0;
      right += patterns.kinds[k].is_right(static_cast<Rate>(r)) ? times[k] : 0;
    }
    figures.rates[r] = percent(right, counted);
  }
  double sum = 0;
  int with_pictures = 0;
  for (std::size_t label = 0; label < known.size(); ++label) {
    if (known[label] == 0) continue;
    sum += percent(found[label], known[label]);
    ++with_pictures;
  }
  if (with_pictures > 0) figures.corloc = sum / with_pictures;
  return figures;
}

template <class Figure>  // Figures -> double
std::optional<Interval> interval(const std::vector<Figures>& resamples, double confidence, const Figure& figure) {
  std::vector<double> values;
  for (const Figures& one : resamples)
    if (const double value = figure(one); !std::isnan(value)) values.push_back(value);
  if (values.empty()) return std::nullopt;
  const double outside = (1 - confidence) / 2;
  return Interval{quantile(values, outside), quantile(values, 1 - outside)};
}

}  // namespace

double quantile(std::vector<double>& values, double share) {
  check(!values.empty(), "quantile: no value given");
  check(share >= 0 && share <= 1, "quantile: the share must be in [0, 1], got ", share);
  std::sort(values.begin(), values.end());
  const double at = share * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (at - static_cast<double>(below)) * (values[above] - values[below]);
}

Intervals bootstrap(const std::vector<RatedPicture>& pictures, const BootstrapOptions& options) {
  check(!pictures.empty(), "bootstrap: no picture given");
  check(pictures.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max()), "bootstrap: too many pictures");
  check(options.resamples >= 1 && options.resamples <= 1'000'000, "bootstrap: resamples must be in 1..1000000, got ",
        options.resamples);
  check(options.confidence > 0 && options.confidence < 1, "bootstrap: the confidence must be in (0, 1), got ",
        options.confidence);
  const Patterns patterns(pictures);
  std::vector<Figures> resamples(static_cast<std::size_t>(options.resamples));
  parallel_chunks(options.resamples, 1, [&](std::int64_t i, std::int64_t) {
    resamples[static_cast<std::size_t>(i)] = resample(patterns, options.seed, static_cast<std::uint32_t>(i));
  });

  Intervals result;
  for (std::size_t r = 0; r < rate_count; ++r)
    result.rates[r] = interval(resamples, options.confidence, [r](const Figures& one) { return one.rates[r]; });
  result.corloc = interval(resamples, options.confidence, [](const Figures& one) { return one.corloc; });
  result.max_box_acc_v2 = interval(resamples, options.confidence, [](const Figures& one) {
    const auto rate = [&](Rate which) { return one.rates[static_cast<std::size_t>(which)]; };
    return (rate(Rate::max_box_acc_30) + rate(Rate::max_box_acc_50) + rate(Rate::max_box_acc_70)) / 3;
  });
  return result;
}

}  // namespace acol
