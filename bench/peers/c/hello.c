/* Workload C1's floor: the smallest C program. */
int main(void) { return 0; }
