import { Global, Inject, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { AppConfig } from '../config/app-config.js';
import { createDataSource } from './data-source.js';
import { Database } from './database.js';
import { runMigrations } from './migrate.js';

type Entity = new () => object;

/** Connects at start, and disconnects last: after every module has finished with it. */
@Global()
@Module({})
export class DatabaseModule implements OnApplicationShutdown {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  static withEntities(entities: Entity[]): DynamicModule {
    return {
      module: DatabaseModule,
      providers: [
        {
          provide: DataSource,
          inject: [AppConfig],
          useFactory: (config: AppConfig) => connect(config, entities),
        },
        {
          provide: Database,
          inject: [DataSource],
          useFactory: (dataSource: DataSource) => new Database(dataSource),
        },
      ],
      exports: [DataSource, Database],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    if (this.dataSource.isInitialized) await this.dataSource.destroy();
  }
}

async function connect(config: AppConfig, entities: Entity[]): Promise<DataSource> {
  if (config.database.migrateOnStart) await runMigrations(config.database.url);
  const dataSource = createDataSource({ ...config.database, entities });
  return dataSource.initialize();
}
