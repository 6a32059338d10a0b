#include "acol/weights/pickle.h"

#include <algorithm>
#include <cstring>

#include "acol/weights/unpickler.h"

namespace acol {

std::int64_t PickleTensor::elements() const {
  std::int64_t product = 1;  // overflows nowhere on the way: checked when it was made
  for (const std::int64_t extent : shape) product *= extent;
  return product;
}

bool PickleValue::is_container() const {
  return kind == Kind::tuple || kind == Kind::list || kind == Kind::dict || kind == Kind::set;
}

const PickleValue* PickleValue::find(std::string_view key) const {
  if (kind != Kind::dict) return nullptr;
  for (std::size_t i = items.size(); i >= 2; i -= 2)
    if (items[i - 2]->kind == Kind::text && items[i - 2]->text == key) return items[i - 1];
  return nullptr;
}

bool PickleInput::take(void* to, std::size_t bytes) {
  if (bytes > remaining()) return false;
  if (file_ == nullptr) {
    std::memcpy(to, memory_.data() + at_, bytes);
  } else if (at_ >= ahead_at_ && at_ + bytes <= ahead_at_ + ahead_.size()) {
    std::memcpy(to, ahead_.data() + (at_ - ahead_at_), bytes);
  } else {
    constexpr std::uint64_t piece = 64 << 10;
    if (bytes >= piece) {
      if (!file_->read(at_, to, bytes)) return false;
    } else {
      ahead_.resize(static_cast<std::size_t>(std::min(piece, remaining())));
      ahead_at_ = at_;
      if (!file_->read(at_, ahead_.data(), ahead_.size())) {
        ahead_.clear();
        return false;
      }
      std::memcpy(to, ahead_.data(), bytes);
    }
  }
  at_ += bytes;
  return true;
}

Pickle::Pickle(PickleInput& in, const std::string& file, const PickleLimits& limits) {
  root_ = Unpickler(in, file, limits, *this).run();
}

}  // namespace acol
