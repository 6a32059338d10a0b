#include "layers/activation.h"

namespace acol {

Dropout::Dropout(double rate, std::uint32_t layer) : rate_(rate), draw_{0, 0, layer} {
  check(rate >= 0 && rate < 1, "Dropout: the rate must be in [0, 1), got ", rate);
}

void Dropout::set_draw(std::uint64_t seed, std::uint32_t step) {
  draw_ = {seed, step, draw_.layer};
  drawn_ = true;
}

Variable Dropout::forward(const Variable& x) {
  if (!training() || rate_ == 0) return x;
  check(drawn_, "Dropout: no draw for this step; call set_draw(seed, step) before forward() in training");
  return dropout(x, rate_, draw_);
}

void set_dropout_draw(Module& root, std::uint64_t seed, std::uint32_t step) {
  root.for_each([&](const std::string&, Module& module) {
    if (auto* layer = dynamic_cast<Dropout*>(&module)) layer->set_draw(seed, step);
  });
}

}  // namespace acol
