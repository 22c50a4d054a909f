// Of the library that carries the headers which all modules have precompiled (HearthModule.cmake).
