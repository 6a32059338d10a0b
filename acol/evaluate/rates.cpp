#include "acol/evaluate/rates.h"

#include "tensor/check.h"

namespace acol {

namespace {

std::size_t index(Rate rate) { return static_cast<std::size_t>(rate); }

std::optional<double> share(std::int64_t part, std::int64_t whole) {
  if (whole == 0) return std::nullopt;
  return 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

RateTable::RateTable(int classes) {
  check(classes >= 0, "rates: a number of classes must not be negative, got ", classes);
  counted_.resize(static_cast<std::size_t>(classes));
  right_.resize(static_cast<std::size_t>(classes));
}

void RateTable::add(int label, const PictureRates& picture) {
  check(label >= 0 && label < classes(), "rates: no class ", label, "; there are ", classes());
  for (std::size_t r = 0; r < rate_count; ++r) {
    const auto rate = static_cast<Rate>(r);
    counted_[static_cast<std::size_t>(label)][r] += picture.counts(rate);
    right_[static_cast<std::size_t>(label)][r] += picture.is_right(rate);
  }
}

std::int64_t RateTable::counted(Rate rate, int label) const {
  check(label >= 0 && label < classes(), "rates: no class ", label, "; there are ", classes());
  return counted_[static_cast<std::size_t>(label)][index(rate)];
}

std::int64_t RateTable::counted(Rate rate) const {
  std::int64_t sum = 0;
  for (const Counts& counts : counted_) sum += counts[index(rate)];
  return sum;
}

std::optional<double> RateTable::percent(Rate rate, int label) const {
  const std::int64_t whole = counted(rate, label);
  return share(right_[static_cast<std::size_t>(label)][index(rate)], whole);
}

std::optional<double> RateTable::percent(Rate rate) const {
  std::int64_t sum = 0;
  for (const Counts& counts : right_) sum += counts[index(rate)];
  return share(sum, counted(rate));
}

std::optional<double> RateTable::class_mean(Rate rate) const {
  double sum = 0;
  int with_pictures = 0;
  for (int label = 0; label < classes(); ++label)
    if (const std::optional<double> one = percent(rate, label)) {
      sum += *one;
      ++with_pictures;
    }
  return with_pictures == 0 ? std::nullopt : std::optional(sum / with_pictures);
}

}  // namespace acol
