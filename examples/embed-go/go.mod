module noema.example/embed

go 1.19
