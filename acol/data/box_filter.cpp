#include "acol/data/box_filter.h"

#include "acol/data/listing.h"

namespace acol {

void BoxFilter::add(Sample& sample, Box box, int width, int height) {
  const Box cut =
      clipped_box(box, width > 0 ? width : largest_coordinate + 1, height > 0 ? height : largest_coordinate + 1);
  if (box.x1 <= box.x0 || box.y1 <= box.y0 || cut.x1 <= cut.x0 || cut.y1 <= cut.y0) {
    ++degenerate;
    return;
  }
  outside += !(cut == box);
  sample.boxes.push_back(cut);
}

void BoxFilter::report(Dataset& dataset) const {
  if (degenerate > 0)
    dataset.notes.push_back(counted(degenerate, "degenerate box", "degenerate boxes") +
                            " dropped (x1 <= x0 or y1 <= y0); the pictures stay");
  if (outside > 0)
    dataset.notes.push_back(
        counted(outside, "box reaches outside its picture and was", "boxes reach outside their pictures and were") +
        " cut");
  if (foreign > 0)
    dataset.notes.push_back(counted(foreign, "box", "boxes") + " of another class than the picture's dropped");
}

}  // namespace acol
