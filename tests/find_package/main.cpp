// Prints what a model sees in a picture: class, probability and box.
#include <acol/data/image.h>
#include <acol/localizer.h>

#include <exception>
#include <iostream>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: box MODEL.safetensors PICTURE\n";
    return 2;
  }
  try {
    const acol::Localizer localizer(argv[1]);
    for (const acol::Localization& found : localizer.localize(acol::read_image(argv[2])))
      std::cout << found.name << " " << found.score << " at " << found.box.x0 << "," << found.box.y0 << " to "
                << found.box.x1 << "," << found.box.y1 << "\n";
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
